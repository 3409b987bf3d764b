"""A report as SVG, written by hand: loss over offered rate, CPU a datagram, latency, rivals."""

import html
import math
import os

WIDTH, HEIGHT = 860, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 230, 46, 54
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2",
           "#7f7f7f", "#bcbd22")


def colour(index):
    return COLOURS[index % len(COLOURS)]


def label(cell):
    workers = f", {cell['workers']} workers" if cell["workers"] != 1 else ""
    return f"{cell['relay']} {cell['payload']} B {cell['case']} {cell['input']}{workers}"


def short(value):
    for limit, unit in ((1e6, " M"), (1e3, " k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


class Drawing:
    def __init__(self, title, width=WIDTH, height=HEIGHT, margin=RIGHT):
        self.width, self.height = width, height
        self.margin = margin  # on the right, for the legend
        self.parts = []
        self.text(LEFT, 24, title, size=15, weight="bold")

    def line(self, x1, y1, x2, y2, stroke="#bbb", width=1):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
                          f' stroke="{stroke}" stroke-width="{width}"/>')

    def text(self, x, y, content, size=11, anchor="start", weight="normal", fill="#222"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
                          f' font-weight="{weight}" fill="{fill}">{html.escape(content)}</text>')

    def dot(self, x, y, fill):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{fill}"/>')

    def bar(self, x, y, width, height, fill):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}"'
                          f' height="{height:.1f}" fill="{fill}"/>')

    def series(self, index, points, content):
        """A line with its dots, and its row of the legend; dashed once the colours are used up."""
        fill = colour(index)
        style = f'stroke="{fill}" stroke-width="1.5"'
        if index >= len(COLOURS):
            style += f' stroke-dasharray="{2 + 3 * (index // len(COLOURS))}"'
        steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{steps}" fill="none" {style}/>')
        for point in points:
            self.dot(*point, fill)
        x, y = self.width - self.margin + 12, TOP + 8 + 17 * index
        self.parts.append(f'<line x1="{x}" y1="{y - 3}" x2="{x + 20}" y2="{y - 3}" {style}/>')
        self.text(x + 26, y + 1, content, size=10)

    def svg(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}"'
                f' height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
                ' font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")


def log_scale(low, high, start, end):
    low, high = math.log10(low), math.log10(max(high, low * 1.0001))
    return lambda value: start + (end - start) * (math.log10(value) - low) / (high - low)


def decades(low, high):
    return [10.0 ** n for n in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def _axes(drawing, x_ticks, y_ticks, x_name, y_name):
    bottom, right = drawing.height - BOTTOM, drawing.width - drawing.margin
    for at, content in x_ticks:
        drawing.line(at, TOP, at, bottom, "#eee")
        drawing.text(at, bottom + 16, content, anchor="middle")
    for at, content in y_ticks:
        drawing.line(LEFT, at, right, at, "#eee")
        drawing.text(LEFT - 6, at + 4, content, anchor="end")
    drawing.line(LEFT, bottom, right, bottom, "#444")
    drawing.line(LEFT, TOP, LEFT, bottom, "#444")
    drawing.text((LEFT + right) / 2, bottom + 38, x_name, anchor="middle")
    drawing.text(LEFT - 60, TOP - 8, y_name)


def _size(rows):
    return max(HEIGHT, TOP + BOTTOM + 17 * rows)


def loss(cells):
    """No loss at all stands on the bottom line, below 0.001 %."""
    series = [(label(c), sorted((t["offered_pps"], t["loss"]) for t in c["trials"]
                                if not t["void"] and t["offered_pps"] > 0))
              for c in cells if c.get("trials")]
    series = [(name, points) for name, points in series if points]
    if not series:
        return None
    drawing = Drawing("Loss over offered rate", height=_size(len(series)))
    rates = [x for _, points in series for x, _ in points]
    low, high = min(rates) * 0.9, max(rates) * 1.1
    floor, bottom = 1e-6, drawing.height - BOTTOM
    x = log_scale(low, high, LEFT, drawing.width - RIGHT)
    y = log_scale(floor, 1, bottom, TOP)
    x_ticks = [(x(d * m), short(d * m)) for d in decades(low, high) for m in (1, 2, 5)
               if low <= d * m <= high]
    y_ticks = [(bottom, "none")]
    y_ticks += [(y(v), f"{v:.3g}".rstrip("0") if v < 1e-4 else f"{v:.4g}")
                for v in (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1)]
    _axes(drawing, x_ticks, y_ticks, "datagrams offered a second", "share lost (PDR: 0.001)")
    for index, (name, points) in enumerate(series):
        drawing.series(index, [(x(rate), y(max(share, floor))) for rate, share in points], name)
    return drawing.svg()


def bars(title, unit, entries, log=False):
    """[(name, value, text)] as horizontal bars."""
    entries = [e for e in entries if e[1] > 0]
    if not entries:
        return None
    row, left = 24, 290
    drawing = Drawing(title, height=TOP + BOTTOM + row * len(entries))
    values = [value for _, value, _ in entries]
    end = drawing.width - 90
    if log:
        scale = log_scale(min(values) / 2, max(values), left, end)
    else:
        def scale(value):
            return left + (end - left) * value / max(values)
    for index, (name, value, text) in enumerate(entries):
        y = TOP + row * index
        drawing.text(left - 8, y + 14, name, anchor="end")
        drawing.bar(left, y + 3, scale(value) - left, row - 8, colour(index))
        drawing.text(scale(value) + 5, y + 14, text)
    drawing.text(left, drawing.height - 20, unit + (" (logarithmic)" if log else ""))
    return drawing.svg()


def cpu(cells):
    """Kernel routing has no thread: the core's time stands for it, where it has the relay's."""
    entries = []
    for cell in cells:
        figures = cell.get("cpu")
        if not figures or figures["void"] or cell["relay"] == "smcroute":
            continue
        core = cell["relay"] == "smcroute-rps"
        value = figures["core_ns" if core else "ns"]
        entries.append((label(cell), value, f"{value:.0f}" + (" (core)" if core else "")))
    return bars("CPU a datagram out, at 70 % of NDR", "nanoseconds", entries, log=True)


def rivals(cells):
    entries = []
    for cell in cells:
        figure = cell.get("ndr")
        if figure and figure["pps"] and not figure["void"]:
            sign = ">= " if figure["at_least"] else ""
            entries.append((label(cell), figure["out_pps"], sign + short(figure["out_pps"])))
    return bars("Datagrams out a second without loss (NDR x outputs)", "datagrams a second",
                entries, log=True)


def latency(cells):
    names = ("p50", "p99", "p999", "max")
    series = [(f"{label(c)}, {entry['at']}", [max(entry[n], 0.1) for n in names])
              for c in cells for entry in c.get("latency", []) if entry["sampled"]]
    if not series:
        return None
    drawing = Drawing("Latency", WIDTH + 160, _size(len(series)), RIGHT + 130)
    values = [v for _, points in series for v in points]
    low, high = min(values) * 0.8, max(values) * 1.2
    bottom, right = drawing.height - BOTTOM, drawing.width - drawing.margin
    y = log_scale(low, high, bottom, TOP)
    places = [LEFT + (right - LEFT) * (n + 0.5) / len(names) for n in range(len(names))]
    y_ticks = [(y(d * m), short(d * m)) for d in decades(low, high) for m in (1, 2, 5)
               if low <= d * m <= high]
    x_ticks = list(zip(places, ("p50", "p99", "p99.9", "max")))
    _axes(drawing, x_ticks, y_ticks, "percentile", "microseconds")
    for index, (name, points) in enumerate(series):
        drawing.series(index, [(place, y(v)) for place, v in zip(places, points)], name)
    return drawing.svg()


def over_rate(title, unit, curves):
    """[(name, [(rate, value)])]: both axes logarithmic."""
    curves = [(name, points) for name, points in curves if points]
    if not curves:
        return None
    drawing = Drawing(title, height=_size(len(curves)))
    rates = [x for _, points in curves for x, _ in points]
    values = [y for _, points in curves for _, y in points]
    x_span, y_span = (min(rates) * 0.8, max(rates) * 1.2), (min(values) * 0.8, max(values) * 1.2)
    x = log_scale(*x_span, LEFT, drawing.width - RIGHT)
    y = log_scale(*y_span, drawing.height - BOTTOM, TOP)
    _axes(drawing, [(x(rate), short(rate)) for rate in sorted(set(rates))],
          [(y(d * m), short(d * m)) for d in decades(*y_span) for m in (1, 2, 5)
           if y_span[0] <= d * m <= y_span[1]], "datagrams a second", unit)
    for index, (name, points) in enumerate(curves):
        drawing.series(index, [(x(rate), y(value)) for rate, value in points], name)
    return drawing.svg()


NAMES = {"mcr": "MCR, worker", "kernel": "MCR, kernel's way", "poll": "MCR, idle = poll",
         "smcroute-rps": "kernel routing", "mcrd": "acooks/mcr"}


def _curves(fixed, figure, scale=1.0, streams=None):
    for cell in fixed:
        if streams and cell["streams"] != streams:
            continue
        points = [(row["rate"], row[figure] * scale) for row in cell["rates"]
                  if not row["void"] and row["lost"] < 0.01 and row[figure] > 0]
        name = NAMES.get(cell["relay"], cell["relay"])
        count = "1 stream" if cell["streams"] == 1 else f"{cell['streams']} streams"
        yield name if streams else f"{name}, {count}", points


def fixed_core(fixed):
    """Without idle = poll, which always has all of its core."""
    fixed = [cell for cell in fixed if cell["relay"] != "poll"]
    return over_rate("The relay's core, interrupts included, for a datagram of 1400 B",
                     "microseconds", list(_curves(fixed, "core_ns", 1e-3)))


def fixed_latency(fixed):
    curves = [(f"{name}, {label}", points) for figure, label in (("p50", "median"), ("p99", "p99"))
              for name, points in _curves(fixed, figure, streams=1)]
    return over_rate("From sending to receiving, 1 stream of 1400 B", "microseconds", curves)


def write(report, directory):
    written = []
    plots = [(name, make, report["cells"]) for name, make in
             (("loss", loss), ("cpu", cpu), ("latency", latency), ("rivals", rivals))]
    plots += [("fixed-core", fixed_core, report.get("fixed", [])),
              ("fixed-latency", fixed_latency, report.get("fixed", []))]
    for name, make, cells in plots:
        svg = make(cells)
        if svg:
            path = os.path.join(directory, name + ".svg")
            with open(path, "w", encoding="utf-8") as file:
                file.write(svg)
            written.append(path)
    return written
