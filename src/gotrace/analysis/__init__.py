"""Questions about a trace, one a file. They use what a user holds; never here: output."""
