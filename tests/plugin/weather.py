"""A second experiment, as a package of its own would bring it: number 2, events 137 to 139."""

from gotrace import EventSpec, Experiment, Kind, register


def parse(batches: list[tuple[int, bytes]]) -> list[str]:
    """Return the names of stations."""
    return [data.decode() for _, data in batches]


def _spec(number: int, name: str, *args: str) -> EventSpec:
    return EventSpec(number, name, ("dt", *args), since=26, kind=Kind.EXPERIMENTAL, experiment=2)


EXPERIMENT = Experiment(
    2,
    "Weather",
    (_spec(137, "Weather", "temperature", "wind_value"), _spec(138, "Rain", "drops"), _spec(139, "Sun")),
    parse,
    needs="R??",
)
register(EXPERIMENT)
