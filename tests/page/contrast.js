// Texts whose contrast with what is behind them is less than WCAG 2.1 asks for (AA, 1.4.3): 4.5, or
// 3 for large ones. The value is a list of what falls short.
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((v, i) => (i === 3 ? v / 255 : v));
  };
  const over = (front, back) => front.map((v, i) => (i === 3 ? 1 : v * front[3] + back[i] * (1 - front[3])));
  const luminance = (colour) => {
    const [r, g, b] = colour.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((back, front) => over(front, back), [255, 255, 255, 1]);
  };
  const poor = [];
  const seen = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.nodeValue.trim() || /^(SCRIPT|STYLE|NOSCRIPT|OPTION)$/.test(element.tagName)) continue;
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const look = getComputedStyle(element);
    const back = behind(element);
    const size = parseFloat(look.fontSize);
    const least = size >= 24 || (size >= 18.66 && parseInt(look.fontWeight, 10) >= 700) ? 3 : 4.5;
    const found = ratio(over(rgba(look.color), back), back);
    const what = `${element.tagName}.${element.className} ${found.toFixed(2)}`;
    if (found < least && !seen.has(what)) poor.push(`${what}: ${walk.currentNode.nodeValue.trim().slice(0, 40)}`);
    seen.add(what);
  }
  return poor;
})()
