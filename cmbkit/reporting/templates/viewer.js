(function () {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("viewer-data").textContent);
  const [nx, ny, nz] = data.shape;
  const shape = data.shape;
  const sprite = byId("viewer-sprite");
  const volume = new Uint8Array(nx * ny * nz);
  const at = data.start.slice();
  const bleeds = data.layers.flatMap((layer) => layer.microbleeds);
  // cut: axis across, axis upwards, axis cut; letters left, right, down, up
  const CUTS = {
    axial: [0, 1, 2, "L", "R", "P", "A"],
    coronal: [0, 2, 1, "L", "R", "I", "S"],
    sagittal: [1, 2, 0, "P", "A", "I", "S"],
  };
  const ZOOM = Math.max(1, Math.round((2 * 190) / Math.max(nx, ny, nz)));
  const canvases = Array.from(document.querySelectorAll("#viewer canvas"));

  for (const layer of data.layers) {
    layer.labels = new Uint16Array(nx * ny * nz);
    for (const bleed of layer.microbleeds)
      for (const index of bleed.voxels) layer.labels[index] = bleed.id;
  }

  function load() {
    const sheet = document.createElement("canvas");
    sheet.width = nx;
    sheet.height = ny;
    const pen = sheet.getContext("2d", { willReadFrequently: true });
    for (let k = 0; k < nz; k++) {
      const x = (k % data.columns) * nx, y = Math.floor(k / data.columns) * ny;
      pen.drawImage(sprite, x, y, nx, ny, 0, 0, nx, ny);
      const pixels = pen.getImageData(0, 0, nx, ny).data;
      for (let p = 0, v = k * nx * ny; p < nx * ny; p++, v++) volume[v] = pixels[4 * p];
    }
  }

  const flipped = (cut) => byId("viewer-flip").checked && CUTS[cut][0] === 0;

  function draw(canvas) {
    const cut = canvas.dataset.cut;
    const [right, up, through, ...letters] = CUTS[cut];
    const w = shape[right], h = shape[up];
    canvas.width = w * ZOOM;
    canvas.height = h * ZOOM;
    const pen = canvas.getContext("2d");
    const step = [1, nx, nx * ny];
    const small = document.createElement("canvas");
    small.width = w;
    small.height = h;
    const picture = new ImageData(w, h);
    const gain = Number(byId("viewer-contrast").value);
    const shift = Number(byId("viewer-brightness").value);
    const first = at[through] * step[through];
    for (let j = 0; j < h; j++)
      for (let i = 0; i < w; i++) {
        const value = (volume[first + i * step[right] + j * step[up]] - 128) * gain + 128 + shift;
        const pixel = 4 * ((h - 1 - j) * w + i);
        picture.data[pixel] = picture.data[pixel + 1] = picture.data[pixel + 2] = value;
        picture.data[pixel + 3] = 255;
      }
    small.getContext("2d").putImageData(picture, 0, 0);
    pen.save();
    if (flipped(cut)) {
      pen.translate(canvas.width, 0);
      pen.scale(-1, 1);
    }
    pen.drawImage(small, 0, 0, canvas.width, canvas.height);
    for (const layer of byId("viewer-outline").checked ? data.layers : []) {
      const label = (i, j) =>
        i < 0 || j < 0 || i >= w || j >= h ? 0 : layer.labels[first + i * step[right] + j * step[up]];
      pen.strokeStyle = layer.colour;
      pen.lineWidth = 1.2;
      pen.beginPath();
      for (let j = 0; j < h; j++)
        for (let i = 0; i < w; i++) {
          const here = label(i, j);
          if (!here) continue;
          const x = i * ZOOM, y = (h - 1 - j) * ZOOM;
          if (label(i - 1, j) !== here) { pen.moveTo(x, y); pen.lineTo(x, y + ZOOM); }
          if (label(i + 1, j) !== here) { pen.moveTo(x + ZOOM, y); pen.lineTo(x + ZOOM, y + ZOOM); }
          if (label(i, j + 1) !== here) { pen.moveTo(x, y); pen.lineTo(x + ZOOM, y); }
          if (label(i, j - 1) !== here) { pen.moveTo(x, y + ZOOM); pen.lineTo(x + ZOOM, y + ZOOM); }
        }
      pen.stroke();
    }
    if (byId("viewer-cross").checked) {
      const x = (at[right] + 0.5) * ZOOM, y = (h - at[up] - 0.5) * ZOOM, gap = 6 * ZOOM;
      pen.strokeStyle = "rgba(255,255,255,0.6)";
      pen.lineWidth = 1;
      pen.beginPath();
      for (const [a, b, c, d] of [
        [0, y, x - gap, y], [x + gap, y, canvas.width, y],
        [x, 0, x, y - gap], [x, y + gap, x, canvas.height],
      ]) { pen.moveTo(a, b); pen.lineTo(c, d); }
      pen.stroke();
    }
    pen.restore();
    pen.fillStyle = "#fff";
    pen.font = "14px system-ui, sans-serif";
    const [left, other, down, top] = letters;
    const [a, b] = flipped(cut) ? [other, left] : [left, other];
    pen.fillText(a, 4, canvas.height / 2);
    pen.fillText(b, canvas.width - 14, canvas.height / 2);
    pen.fillText(down, canvas.width / 2, canvas.height - 5);
    pen.fillText(top, canvas.width / 2, 15);
  }

  function show() {
    canvases.forEach(draw);
    const mm = at.map((v, axis) => (data.origin[axis] + v * data.spacing).toFixed(1));
    const voxel = at[0] + nx * (at[1] + ny * at[2]);
    const here = data.layers.filter((layer) => layer.labels[voxel]);
    byId("viewer-where").textContent = [
      `x ${mm[0]}, y ${mm[1]}, z ${mm[2]} mm`, ...here.map((l) => `${l.name} ${l.labels[voxel]}`),
    ].join(", ");
    byId("viewer").dataset.at = at.join(",");
  }

  function move(axis, value) {
    at[axis] = Math.min(shape[axis] - 1, Math.max(0, value));
  }

  function goTo(bleed) {
    if (!bleed) return;
    bleed.centre.forEach((v, axis) => move(axis, v));
    show();
  }

  for (const canvas of canvases) {
    const cut = canvas.dataset.cut;
    const [right, up, through] = CUTS[cut];
    canvas.parentElement.style.flex = shape[right] + " 1 0";
    const pick = (event) => {
      const box = canvas.getBoundingClientRect();
      let x = (event.clientX - box.left) / box.width;
      if (flipped(cut)) x = 1 - x;
      const y = (event.clientY - box.top) / box.height;
      move(right, Math.floor(x * shape[right]));
      move(up, shape[up] - 1 - Math.floor(y * shape[up]));
      show();
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      canvas.focus({ preventScroll: true });
      pick(event);
    });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons & 1) pick(event); });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      move(through, at[through] + (event.deltaY > 0 ? -1 : 1));
      show();
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowUp: 1, PageUp: 5, ArrowDown: -1, PageDown: -5 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      move(through, at[through] + steps[event.key]);
      show();
    });
  }
  for (const id of ["outline", "cross", "flip", "contrast", "brightness"])
    byId("viewer-" + id).addEventListener("input", show);
  for (const { name, colour, microbleeds } of data.layers) {
    if (!microbleeds.length) continue;
    const line = document.createElement("p");
    line.append(`Go to ${name}: `);
    for (const bleed of microbleeds) {
      const button = document.createElement("button");
      button.type = "button";
      button.style.borderBottom = `4px solid ${colour}`;
      button.textContent = bleed.told ? `${bleed.id} ${bleed.told}` : bleed.id;
      button.addEventListener("click", () => goTo(bleed));
      line.append(button, " ");
    }
    byId("viewer-jumps").append(line);
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-microbleed]");
    if (!link) return;
    goTo(bleeds.find((bleed) => bleed.id === Number(link.dataset.microbleed)));
    byId("viewer").scrollIntoView({ behavior: "smooth" });
  });

  function start() {
    load();
    show();
    goTo(bleeds[0]);
    byId("viewer").dataset.ready = "true";
  }
  if (sprite.complete) start();
  else sprite.addEventListener("load", start);
})();
