// Makes the form kinder; it works without this. What is checked here the server checks again:
// here it only saves the wait. Everything said goes through textContent.
"use strict";
document.documentElement.classList.add("js");
document.addEventListener("DOMContentLoaded", () => {
  const the = (id) => document.getElementById(id);
  const form = the("upload"), file = the("file"), text = the("text"), zone = file.parentElement;
  const limit = Number(form.dataset.maxSize);
  const invitation = the("choice").textContent;
  let request = null; // the upload under way
  let key = null;     // names this guideline to the server: trying again makes no second article

  const say = (words) => { the("status").textContent = words; };
  const inMiB = (bytes) => `${Math.ceil(bytes / 10485.76) / 100} MiB`;
  const inWords = (bytes) => bytes < 1000 ? `${bytes} bytes`
    : bytes < 1000000 ? `${(bytes / 1024).toFixed(1)} KiB` : inMiB(bytes);

  const fail = (words, requestId, signIn) => {
    the("failure-text").textContent = words;
    the("failure-request").hidden = !requestId;
    the("failure-request").querySelector("code").textContent = requestId || "";
    the("failure-sign-in").hidden = !signIn;
    the("failure").hidden = false;
  };
  const forgive = () => {
    the("failure").hidden = true;
    zone.classList.remove("refused");
    file.removeAttribute("aria-invalid");
  };

  // Answers the bytes to send, or throws the reason why not.
  const read = async (source, name) => {
    const typed = /^text\/(markdown|x-markdown|plain)$/.test(source.type);
    if (!typed && !/\.(md|markdown|txt)$/i.test(name)) {
      throw Error(`${name} is neither Markdown nor plain text. Choose a .md, .markdown or .txt file.`);
    }
    if (source.size > limit) {
      throw Error(`${name} is ${inMiB(source.size)} large; at most ${inMiB(limit)} can be uploaded.`);
    }
    let bytes, words;
    try { bytes = await source.arrayBuffer(); } catch {
      throw Error(`${name} cannot be read. If it was moved or changed, choose it again.`);
    }
    try { words = new TextDecoder("utf-8", { fatal: true }).decode(bytes); } catch {
      throw Error(`${name} is not UTF-8 text. Save it as UTF-8 and choose it again.`);
    }
    if (words.includes("\0")) throw Error(`${name} contains a NUL character, which no text has.`);
    if (!words.trim()) throw Error(`${name} is empty.`);
    return bytes;
  };

  const show = () => {
    const chosen = file.files[0];
    zone.classList.toggle("chosen", Boolean(chosen));
    the("remove").hidden = !chosen;
    the("paste").hidden = Boolean(chosen); // what is seen is what is sent
    the("choice").textContent = chosen ? chosen.name : invitation;
    the("choice-more").textContent = chosen ? inWords(chosen.size) : "or drop it here";
  };
  const choose = async () => {
    const chosen = file.files[0];
    key = null;
    forgive();
    show();
    if (!chosen) return;
    try {
      await read(chosen, chosen.name);
      say(`${chosen.name}, ${inWords(chosen.size)}, can be uploaded.`);
    } catch (reason) {
      if (chosen === file.files[0]) refuse(reason.message);
    }
  };
  const refuse = (words) => {
    fail(words);
    if (!the("paste").hidden && text.value) return;
    zone.classList.add("refused");
    file.setAttribute("aria-invalid", "true");
  };

  file.addEventListener("change", choose);
  text.addEventListener("input", () => { key = null; forgive(); });
  the("remove").addEventListener("click", () => {
    file.value = "";
    choose();
    file.focus();
    say("No file is chosen.");
  });

  // The whole window takes a drop, so that a near miss does not replace the page by the file.
  const carriesFiles = (event) => Array.from(event.dataTransfer.types).includes("Files");
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    zone.classList.add("over");
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) zone.classList.remove("over"); });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    zone.classList.remove("over");
    if (request || the("compose").hidden) return;
    if (event.dataTransfer.files.length !== 1) return refuse("Drop one file; an article has one guideline.");
    file.files = event.dataTransfer.files;
    choose();
  });

  const busy = (name) => {
    const focused = document.activeElement;
    the("send").hidden = Boolean(name);
    the("sending").hidden = !name;
    file.disabled = text.disabled = the("remove").disabled = Boolean(name);
    the("sending-what").textContent = name ? `Uploading ${name}` : "";
    progress(0);
    if (name && focused === the("send")) the("cancel").focus();
    if (!name && focused === the("cancel")) the("send").focus();
  };
  const progress = (percent) => {
    the("bar").value = percent;
    the("percent").textContent = `${percent} %`;
  };

  const send = (bytes, name) => {
    const body = new FormData();
    body.append("csrf_token", form.elements.csrf_token.value); // first: it is checked before the file is read
    body.append("file", new Blob([bytes], { type: "text/markdown" }), name);
    key ||= Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

    request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Idempotency-Key", key);
    request.upload.onprogress = (event) => { if (event.lengthComputable) progress(Math.floor(100 * event.loaded / event.total)); };
    request.upload.onload = () => { the("percent").textContent = "saving …"; };
    request.onload = () => {
      const { status } = request;
      let answer = null;
      try { answer = JSON.parse(request.responseText); } catch { /* not from Nova: a proxy's page */ }
      if (status < 300 && answer && answer.article_id) return finish(answer);
      const words = answer && (answer.detail || answer.title);
      stop(words || `The server answered ${status}. Try again in a moment.`,
        answer && answer.request_id || request.getResponseHeader("X-Request-Id"), status === 401);
    };
    request.onerror = () => stop("Nova cannot be reached. Your text is still here: try again in a moment.");
    request.onabort = () => { stop(); say("The upload was cancelled."); };
    request.send(body);
    say(`Uploading ${name}.`);
  };
  const stop = (words, requestId, signIn) => {
    request = null;
    busy();
    if (words) fail(words, requestId, signIn);
  };
  const finish = (answer) => {
    request = null;
    for (const place of document.querySelectorAll("[data-article-id]")) place.textContent = answer.article_id;
    the("download").href += encodeURIComponent(answer.article_id);
    the("message").textContent = answer.message || "";
    the("compose").hidden = true;
    the("done").hidden = false;
    document.title = "Guideline uploaded · Nova";
    the("done-title").focus();
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (request) return;
    forgive();
    const chosen = file.files[0];
    const name = chosen ? chosen.name : "The text";
    if (!chosen && !text.value) {
      refuse("Choose a file first, or paste the text.");
      return file.focus();
    }
    request = true; // until the bytes are read: a second press sends nothing
    try {
      const source = chosen || new Blob([text.value], { type: "text/markdown" });
      const bytes = await read(source, name);
      busy(chosen ? name : "the text");
      send(bytes, chosen ? name : "pasted.md");
    } catch (reason) {
      request = null;
      refuse(reason.message);
    }
  });
  the("cancel").addEventListener("click", () => { if (request) request.abort(); });

  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const source = the(button.dataset.copies);
      getSelection().selectAllChildren(source);
      try {
        await navigator.clipboard.writeText(source.textContent);
        getSelection().removeAllRanges();
        button.textContent = "Copied";
        say("Copied.");
      } catch { // no permission, or not https: the text stays selected
        say("Selected. Press Ctrl or Command and C to copy.");
        button.textContent = "Ctrl C";
      }
      setTimeout(() => { button.textContent = "Copy"; say(""); }, 2500);
    });
  }

  show(); // a browser may have kept the file over a reload
});
