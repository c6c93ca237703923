// Loads the site's data. A page from the file system can fetch nothing, so every piece is a script that calls
// vpbenchData with its name and its content: JSON, compressed, in base64.
"use strict";

const Data = (() => {
  const MOST_CHUNKS = 60;
  const asked = new Map(); // name -> {promise, resolve}

  async function unpack(packed) {
    const text = atob(packed);
    const bytes = new Uint8Array(text.length);
    for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  }

  function receive(name, packed) {
    const entry = asked.get(name);
    if (entry) entry.resolve(unpack(packed));
  }

  // The content of data/NAME.js. What couldn't be loaded is asked for again the next time.
  function load(name) {
    if (asked.has(name)) return asked.get(name).promise;
    const entry = {};
    entry.promise = new Promise((resolve, reject) => {
      entry.resolve = resolve;
      const script = document.createElement("script");
      script.src = `data/${name}.js`;
      script.onload = () => script.remove();
      script.onerror = () => {
        script.remove();
        reject(new Error(`data/${name}.js can't be loaded; was the folder copied whole?`));
      };
      document.head.append(script);
    });
    asked.set(name, entry);
    entry.promise.catch(() => asked.delete(name));
    forgetOldest();
    return entry.promise;
  }

  function forgetOldest() {
    const chunks = [...asked.keys()].filter((name) => name.includes("/chunk-"));
    for (const name of chunks.slice(0, Math.max(0, chunks.length - MOST_CHUNKS))) asked.delete(name);
  }

  // The part of question `position` in a folder whose chunks begin at the questions `starts`.
  async function part(folder, starts, position) {
    let chunk = starts.length - 1;
    while (starts[chunk] > position) chunk--;
    const content = await load(`${folder}/chunk-${String(chunk).padStart(4, "0")}`);
    return content[position - starts[chunk]];
  }

  return { load, part, receive };
})();

// What the scripts of data call.
function vpbenchData(name, packed) {
  Data.receive(name, packed);
}
