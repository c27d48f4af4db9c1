// What pages that take files have in common; they work without it. `Page::takes_files` says more.
"use strict";
document.documentElement.classList.add("js");
const the = (id) => document.getElementById(id);
const say = (words) => { the("status").textContent = words; };
const inMiB = (bytes) => `${Math.ceil(bytes / 10485.76) / 100} MiB`;
const inWords = (bytes) => bytes < 1000 ? `${bytes} bytes`
  : bytes < 1000000 ? `${(bytes / 1024).toFixed(1)} KiB` : inMiB(bytes);

// A near miss must not replace the page, so the whole window takes a drop.
const takeDrops = (zone, take) => {
  for (const type of ["dragover", "dragleave", "drop"]) addEventListener(type, (event) => {
    const { files, types } = event.dataTransfer;
    if (event.relatedTarget && type === "dragleave" || !types.includes("Files")) return;
    event.preventDefault();
    zone.classList.toggle("over", type === "dragover");
    if (type === "drop") take(files);
  });
};

const call = (method, address, headers, body, on) => {
  const request = new XMLHttpRequest();
  request.open(method, address);
  request.setRequestHeader("Accept", "application/json");
  for (const name in headers) request.setRequestHeader(name, headers[name]);
  request.upload.onprogress = ({ loaded, total }) => on.progress(Math.floor(100 * loaded / total));
  request.upload.onload = on.arrived;
  request.onload = () => {
    const { status } = request;
    let answer = {}, isOurs = status === 204;
    try { answer = JSON.parse(request.responseText); isOurs = true; } catch { /* a proxy's page */ }
    if (status < 300 && isOurs) return on.done(answer);
    on.failed(answer.detail || `The server answered ${status}. Try again in a moment.`, answer, status);
  };
  request.onerror = () => on.failed("Nova cannot be reached. Nothing is lost: try again in a moment.", {}, 0);
  request.onabort = on.cancelled;
  request.send(body);
  return request;
};
