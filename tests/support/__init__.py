"""What tests share: builders of traces, independent readers, Go itself, a browser. Never here: assertions."""
