// The HTTP API of instyle studio, one function for each call; docs/studio.md describes it.

/** An error that the server told, in the words of the command line. */
export class ApiError extends Error {
  constructor(status, { what, where, hint }) {
    super(what);
    Object.assign(this, { status, what, where, hint });
  }
}

async function call(method, path, body, headers = {}) {
  let response;
  try {
    response = await fetch(`/api/${path}`, { method, body, headers });
  } catch {
    throw new ApiError(0, { what: "instyle studio does not answer",
      hint: "is it still running in the terminal?" });
  }
  if (response.status === 204) return null;
  if (response.ok) return response.json();
  let error = { what: `the server answered ${response.status}` };
  try {
    error = (await response.json()).error ?? error;
  } catch {
    // The answer was no JSON: what the status says is all there is.
  }
  throw new ApiError(response.status, error);
}

const get = (path) => call("GET", path);
const post = (path, data) =>
  call("POST", path, JSON.stringify(data), { "Content-Type": "application/json" });
const upload = (path, blob) => call("POST", path, blob,
  { "Content-Type": "application/octet-stream", "X-Name": encodeURIComponent(blob.name ?? "") });

export const session = () => get("session");
export const schema = () => get("schema");
export const preset = (name) => get(`presets/${encodeURIComponent(name)}`);
export const demo = () => call("POST", "demo");
export const addPhoto = (file) => upload("photos", file);
export const addStyle = (file) => upload("styles", file);
export const addMask = (blob, photo) => upload(`masks?photo=${photo}`, blob);
export const segment = (query) => post("segment", query);
export const rank = (photo, mask) => post("rank", { photo, mask });
export const checkSpec = (spec) => post("specs", { spec });
export const readSpec = (text) => call("POST", "specs", text, { "Content-Type": "text/yaml" });
export const runs = () => get("runs");
export const run = (id) => get(`runs/${id}`);
export const paint = (spec, preview) => post("runs", { spec, preview });
export const goOn = (id, spec) => post(`runs/${id}/continue`, spec ? { spec } : {});
export const stop = (id) => call("POST", `runs/${id}/stop`);
export const remove = (id) => call("DELETE", `runs/${id}`);

export const url = {
  photo: (id) => `/api/photos/${id}`,
  file: (id) => `/api/photos/${id}/file`,
  thumbnail: (id) => `/api/styles/${id}/thumbnail`,
  mask: (id) => `/api/masks/${id}`,
  shownMask: (id) => `/api/masks/${id}?shown=1`,
  cutout: (id, photo) => `/api/masks/${id}/cutout?photo=${photo}`,
  report: (id) => `/api/files/runs/${id}/result.png.run/report.html`,
  run: (id, part) => `/api/runs/${id}/${part}`,
};

/**
 * Follow a run's events, from the first one on; answers a function that ends it. A run that is gone
 * on with tells of its earlier end, too.
 */
export function follow(id, onEvent) {
  const source = new EventSource(url.run(id, "events"));
  source.onmessage = (message) => onEvent(JSON.parse(message.data));
  return () => source.close();
}

/** A picture of the server, decoded; upright, as browsers turn it by EXIF. */
export async function picture(address) {
  const image = new Image();
  image.src = address;
  try {
    await image.decode();
  } catch {
    throw new ApiError(0, { what: "a picture could not be read", where: address });
  }
  return image;
}
