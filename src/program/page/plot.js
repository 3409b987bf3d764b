
// A line of values, from 0 to the greatest of them, on a canvas as sharp as the screen.

const style = () => getComputedStyle(document.documentElement);
let colours = {};

function readColours() {
  const now = style();
  for (const name of ["plot", "fill", "bad", "warn", "soft"])
    colours[name] = now.getPropertyValue(`--${name}`).trim();
}

/** In pixels of the screen. To ask for it may make the browser lay out the page. */
function sizeOf(canvas) {
  const ratio = window.devicePixelRatio || 1;
  return { width: Math.round(canvas.clientWidth * ratio), height: Math.round(canvas.clientHeight * ratio), ratio };
}

function greatest(series) {
  let most = 0;
  for (const value of series) if (value > most) most = value;
  return most;
}

/** Draws the parts between gaps; returns the greatest value. */
function draw(canvas, series, colour = "plot", { width, height, ratio } = sizeOf(canvas)) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  if (!width || !height) return 0;
  const most = greatest(series);
  const top = 2 * ratio;
  const bottom = height - ratio;
  const x = (i) => (i / Math.max(series.length - 1, 1)) * (width - 2 * ratio) + ratio;
  const y = (value) => (most > 0 ? bottom - (value / most) * 0.85 * (bottom - top) : bottom);
  const line = new Path2D();
  const area = new Path2D();
  for (let i = 0; i < series.length; ++i) {
    if (Number.isNaN(series[i])) continue;
    const first = i === 0 || Number.isNaN(series[i - 1]);
    if (first) {
      line.moveTo(x(i), y(series[i]));
      area.moveTo(x(i), bottom);
    }
    line.lineTo(x(i), y(series[i]));
    area.lineTo(x(i), y(series[i]));
    const last = i + 1 === series.length || Number.isNaN(series[i + 1]);
    if (first && last) line.lineTo(x(i) - 2 * ratio, y(series[i])); // one alone would not be seen
    if (last) area.lineTo(x(i), bottom);
  }
  pen.fillStyle = colours.fill;
  pen.fill(area);
  pen.strokeStyle = colours[colour];
  pen.lineWidth = 1.25 * ratio;
  pen.lineJoin = "round";
  pen.stroke(line);
  return most;
}
