"""The mean delay against the number of codes, as an SVG file that reads on light and dark pages alike."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import log10

from schedule.measure import Measured, geometric_mean
from schedule.run import Signals

WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 500, 24, 384  # of the plot within the picture
DELAYS_S = (1, 2, 5, 10, 20, 50, 100, 200)
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .axis { stroke: #57606a; } .grid { stroke: #8c959f; stroke-opacity: 0.25; }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .axis { stroke: #9198a1; } }
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One policy: its name, its colour, its dashes, and its mean delay in a cell in seconds."""

    name: str
    colour: str
    dashes: str
    delay_s: Callable[[Measured], float]


# Colours with contrast enough on white and on near black; dashes tell ours from the rest without colour.
LINES = (
    Line("user's loop", "#8c6d31", "2 4", lambda cell: cell.user.mean_s),
    Line("round-robin", "#6e7781", "6 4", lambda cell: cell.fair.mean_s),
    Line("ours, no signals", "#d1495b", "none", lambda cell: cell.ours[Signals.NONE].mean_s),
    Line("oracle, no signals", "#d1495b", "1 3", lambda cell: cell.oracle[Signals.NONE].mean_s),
    Line("ours, 100 quote pushes", "#2f81c4", "none", lambda cell: cell.ours[Signals.PUSH].mean_s),
    Line("ours, bulk snapshots", "#2a9d62", "none", lambda cell: cell.ours[Signals.BULK].mean_s),
    Line("oracle, bulk snapshots", "#2a9d62", "1 3", lambda cell: cell.oracle[Signals.BULK].mean_s),
)


def delay_chart(grid: Sequence[Measured]) -> str:
    """The picture. Every point is the geometric mean over the rates at which the market changes."""
    codes = sorted({cell.scenario.codes for cell in grid})
    parts = [*_axes(codes), *(part for place, line in enumerate(LINES) for part in _drawn(line, place, grid))]
    title = "Mean delay until a change is found, by number of codes and policy"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
    return "\n".join([head, f"<title>{title}</title>", f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def _x(codes: float, least: float, most: float) -> float:
    return LEFT + 16 + (RIGHT - LEFT - 32) * log10(codes / least) / log10(most / least)


def _y(delay_s: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * log10(delay_s / DELAYS_S[0]) / log10(DELAYS_S[-1] / DELAYS_S[0])


def _axes(codes: Sequence[int]) -> Iterator[str]:
    for delay_s in DELAYS_S:
        y = _y(delay_s)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{delay_s}</text>'
    for count in codes:
        x = _x(count, codes[0], codes[-1])
        yield f'<line class="axis" x1="{x:.1f}" y1="{BOTTOM}" x2="{x:.1f}" y2="{BOTTOM + 5}"/>'
        yield f'<text x="{x:.1f}" y="{BOTTOM + 20}" text-anchor="middle">{count}</text>'
    yield f'<path class="axis" fill="none" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"/>'
    middle_x, middle_y = (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2
    yield f'<text x="{middle_x}" y="{HEIGHT - 12}" text-anchor="middle">codes</text>'
    yield (
        f'<text transform="translate(18 {middle_y}) rotate(-90)" text-anchor="middle">mean delay of a change (s)</text>'
    )


def _drawn(line: Line, place: int, grid: Sequence[Measured]) -> Iterator[str]:
    """The line, its points, and its entry in the legend."""
    points = list(_points(line, grid))
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    look = f'stroke="{line.colour}" stroke-width="2" stroke-dasharray="{line.dashes}"'
    yield f'<polyline fill="none" {look} points="{path}"/>'
    yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{line.colour}"/>' for x, y in points)
    y = TOP + 12 + 24 * place
    yield f'<line {look} x1="{RIGHT + 16}" y1="{y}" x2="{RIGHT + 48}" y2="{y}"/>'
    yield f'<text x="{RIGHT + 56}" y="{y + 4}">{line.name}</text>'


def _points(line: Line, grid: Sequence[Measured]) -> Iterator[tuple[float, float]]:
    cells = sorted(grid, key=lambda cell: cell.scenario.codes)
    least, most = cells[0].scenario.codes, cells[-1].scenario.codes
    for codes, row in groupby(cells, key=lambda cell: cell.scenario.codes):
        yield _x(codes, least, most), _y(geometric_mean(line.delay_s(cell) for cell in row))
