"use strict";
const $ = (id) => document.getElementById(id);
const about = JSON.parse($("about").textContent);
let source = null;  // the picture that was given, as an ImageBitmap
let name = "picture";
let engine = "";
let turn = 0;  // counts translations: an answer that is no longer wanted is dropped

function say(text, kind = "") {
  $("status").textContent = text;
  $("status").className = kind;
}

async function unpacked(id) {
  const bytes = Uint8Array.from(atob($(id).textContent), (letter) => letter.charCodeAt(0));
  $(id).remove();
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

// No module worker: Chromium starts none from a page that was opened from disk.
const worker = new Worker(URL.createObjectURL(new Blob([$("work").textContent], { type: "text/javascript" })));
const waiting = new Map();
worker.onmessage = ({ data: { id, result, error } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  error === undefined ? resolve(result) : reject(new Error(error));
};
worker.onerror = (event) => say(`This browser cannot run the translator (${event.message ?? "no worker"}).`, "wrong");
let calls = 0;
function ask(task, given, transferred = []) {
  return new Promise((resolve, reject) => {
    waiting.set(++calls, { resolve, reject });
    worker.postMessage({ id: calls, task, given }, transferred);
  });
}

async function useModel(bytes) {
  say("Loading the translator …", "busy");
  engine = await ask("model", { bytes, dtype: about.dtype }, [bytes.buffer]).catch((error) => {
    throw new Error(`This is no translator that can be used here: ${error.message}`);
  });
  $("ask").hidden = true;
  $("drop").hidden = $("controls").hidden = false;
  say(`Ready, on ${engine}.`);
  if (source) await translate();
}

async function usePicture(file) {
  source = await createImageBitmap(file);
  name = (file.name || "picture").replace(/\.[^.]*$/, "");
  if (engine) await translate();
}

// The picture at the size asked for, laid on white where it is transparent.
function drawn() {
  const most = Number($("longest").value) || Infinity;
  const scale = Math.min(1, most / Math.max(source.width, source.height));
  const canvas = $("before");
  canvas.width = Math.max(1, Math.round(source.width * scale));
  canvas.height = Math.max(1, Math.round(source.height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function withoutAlpha({ data, width, height }) {
  const channels = about.takes;
  const values = new Uint8Array(width * height * channels);
  for (let from = 0, to = 0; from < data.length; from += 4, to += channels) {
    if (channels === 3) {
      values[to] = data[from]; values[to + 1] = data[from + 1]; values[to + 2] = data[from + 2];
    } else values[to] = Math.round(0.299 * data[from] + 0.587 * data[from + 1] + 0.114 * data[from + 2]);
  }
  return { values, dims: [1, height, width, channels] };
}

function show({ values, dims: [, height, width, channels] }) {
  const pixels = new ImageData(width, height);
  for (let from = 0, to = 0; from < values.length; from += channels, to += 4) {
    for (let c = 0; c < 3; c++) pixels.data[to + c] = values[from + (channels === 1 ? 0 : c)];
    pixels.data[to + 3] = 255;
  }
  const canvas = $("after");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  $("compare").style.setProperty("--wide", `${width}px`);
  $("compare").style.setProperty("--ratio", width / height);
  $("result").hidden = false;
  document.body.classList.add("done");
}

async function translate() {
  const mine = ++turn;
  const given = withoutAlpha(drawn());
  const size = `${given.dims[2]} × ${given.dims[1]} px`;
  $("result").hidden = $("save").hidden = true;
  say(`Translating ${size} …`, "busy");
  const started = performance.now();
  let answer;
  try {
    answer = await ask("picture", given);
  } catch (error) {
    if (engine !== "WebGPU") throw new Error(`It did not succeed at ${size}: choose a smaller size (${error.message}).`);
    engine = await ask("onWasm");
    answer = await ask("picture", given);
  }
  if (mine !== turn) return;
  show(answer);
  say(`${size}, translated in ${((performance.now() - started) / 1000).toFixed(1)} s on ${engine}.`);
  $("after").toBlob((blob) => {
    URL.revokeObjectURL($("save").href);
    $("save").href = URL.createObjectURL(blob);
    $("save").download = `${name}-${about.target}.png`;
    $("save").hidden = false;
  });
}

const guarded = (work) => async (...given) => {
  try { await work(...given); } catch (error) { say(error.message, "wrong"); }
};
const take = guarded(async (file) => {
  if (!file) return;
  if (file.name?.endsWith(".onnx")) await useModel(new Uint8Array(await file.arrayBuffer()));
  else await usePicture(file).catch((error) => {
    throw error instanceof DOMException ? new Error(`${file.name} is no picture that this browser can read.`) : error;
  });
});
for (const input of document.querySelectorAll(".drop input")) {
  input.onchange = () => { take(input.files[0]); input.value = ""; };
}
document.ondragover = (event) => { event.preventDefault(); document.body.classList.add("over"); };
document.ondragleave = () => document.body.classList.remove("over");
document.ondrop = (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  take(event.dataTransfer.files[0]);
};
document.onpaste = (event) => take(event.clipboardData.files[0]);
$("split").oninput = () => $("compare").style.setProperty("--split", `${$("split").value}%`);
$("longest").onchange = guarded(async () => { if (source && engine) await translate(); });

guarded(async () => {
  const [code, wasm] = await Promise.all([unpacked("runtime"), unpacked("wasm")]);
  await ask("runtime", { code, wasm }, [code, wasm]);
  if (location.protocol === "file:") {
    $("ask").hidden = false;
    say(`One thing is needed first: the translator, ${about.file}.`);
    return;
  }
  say("Loading the translator …", "busy");
  const found = await fetch(encodeURIComponent(about.file)).catch(() => null);
  if (!found?.ok) {
    $("ask").hidden = false;
    throw new Error(`${about.file} is not beside this page.`);
  }
  await useModel(new Uint8Array(await found.arrayBuffer()));
})();
