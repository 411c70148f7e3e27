const canvas = element.querySelector('canvas'), hint = element.querySelector('.hint');
const pen = canvas.getContext('2d');
let strokes = [], stroke = null, finger = null, pause = null, drawnOn = [0, 0];

function redraw() {
  const density = window.devicePixelRatio || 1;
  const wide = canvas.clientWidth, high = canvas.clientHeight;
  if (!wide || !high) return;
  // a phone that is turned has another strip: all of the strokes stay on it
  const shrunk = Math.min(wide / drawnOn[0], high / drawnOn[1]);
  if (strokes.length && wide < drawnOn[0] && shrunk < 1)
    strokes = strokes.map(points => points.map(([x, y]) => [x * shrunk, y * shrunk]));
  if (!strokes.length || wide < drawnOn[0]) drawnOn = [wide, high];
  canvas.width = wide * density; canvas.height = high * density;
  pen.setTransform(density, 0, 0, density, 0, 0);
  pen.fillStyle = 'white'; pen.fillRect(0, 0, wide, high);
  pen.strokeStyle = '#16181d'; pen.lineCap = pen.lineJoin = 'round';
  pen.lineWidth = Math.max(2.5, high / 45);
  for (const points of strokes) {
    pen.beginPath();
    pen.moveTo(...points[0]);
    for (let i = 1; i < points.length - 1; i++) {
      const [x, y] = points[i], [u, v] = points[i + 1];
      pen.quadraticCurveTo(x, y, (x + u) / 2, (y + v) / 2);
    }
    pen.lineTo(...points[points.length - 1]);
    pen.stroke();
  }
  hint.classList.toggle('gone', strokes.length > 0);
}
function where(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
function later() {
  clearTimeout(pause);
  pause = setTimeout(() => {
    const image = strokes.length ? canvas.toDataURL('image/png') : '';
    trigger('submit', {image});
  }, 700);
}
canvas.addEventListener('pointerdown', event => {
  if (stroke) return;  // a palm that comes to rest beside the finger that writes
  canvas.setPointerCapture(event.pointerId);
  finger = event.pointerId;
  stroke = [where(event)]; strokes.push(stroke); clearTimeout(pause); redraw(); event.preventDefault();
});
canvas.addEventListener('pointermove', event => {
  if (!stroke || event.pointerId !== finger) return;
  const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const e of all.length ? all : [event]) stroke.push(where(e));
  redraw();
});
for (const name of ['pointerup', 'pointercancel'])
  canvas.addEventListener(name, event => {
    if (stroke && event.pointerId === finger) { stroke = null; later(); }
  });
function without(kept) {
  if (!strokes.length) return;  // what was read of a picture stays
  strokes = kept; redraw(); later();
}
element.querySelector('.undo').addEventListener('click', () => without(strokes.slice(0, -1)));
element.querySelector('.clear').addEventListener('click', () => without([]));
new ResizeObserver(redraw).observe(canvas);
