// Runs beside the page, which stays alive while this computes. It is handed everything and fetches nothing.
let ort, session, model;

const create = (executionProviders) => ort.InferenceSession.create(model, { executionProviders, logSeverityLevel: 3 });

const work = {
  async runtime({ code, wasm }) {
    ort = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    ort.env.wasm.wasmBinary = wasm;
    ort.env.logLevel = "error";
  },
  // The graphics processor first, where there is a real one. 8-bit models are of no use to it.
  async model({ bytes, dtype }) {
    model = bytes;
    session = undefined;
    const gpu = await navigator.gpu?.requestAdapter().catch(() => null);
    if (gpu && !gpu.info?.isFallbackAdapter && dtype !== "int8") {
      try {
        session = await create(["webgpu", "wasm"]);
        return "WebGPU";
      } catch (error) { console.warn(String(error)); }
    }
    return await work.onWasm();
  },
  async onWasm() {
    session = await create(["wasm"]);
    return "WebAssembly";
  },
  async picture({ values, dims }) {
    const given = new ort.Tensor("uint8", values, dims);
    const answer = (await session.run({ picture: given })).translated;
    return { values: answer.data, dims: answer.dims };
  },
};

// One message at a time: a session is for one caller.
let last = Promise.resolve();
onmessage = ({ data: { id, task, given } }) => {
  last = last.then(async () => {
    try { postMessage({ id, result: await work[task](given) }); }
    catch (error) { postMessage({ id, error: String(error?.message ?? error) }); }
  });
};
