// Makes the form kinder; it works without. The server checks again all that is checked here.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const form = the("upload"), file = the("file"), text = the("text"), zone = file.parentElement;
  const limit = Number(form.dataset.maxSize);
  const invitation = the("choice").textContent;
  let request = null; // the upload under way
  let key = null;     // names this guideline to the server: trying again makes no second article

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
    if (source.name && !/\.(md|markdown|mdown|txt)$/i.test(name)) {
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
    zone.classList.toggle("chosen", !!chosen);
    the("remove").hidden = !chosen;
    the("paste").hidden = !!chosen; // what is seen is what is sent
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

  takeDrops(zone, (files) => {
    if (request || the("compose").hidden) return;
    if (files.length !== 1) return refuse("Drop one file; an article has one guideline.");
    file.files = files;
    choose();
  });

  const busy = (name) => {
    const focused = document.activeElement;
    the("sending").hidden = !name;
    the("send").hidden = file.disabled = text.disabled = the("remove").hidden = !!name;
    the("sending-what").textContent = `Uploading ${name}`;
    progress(0);
    if (!name) show();
    if (focused === the(name ? "send" : "cancel")) the(name ? "cancel" : "send").focus();
  };
  const progress = (percent) => {
    the("bar").value = percent;
    the("percent").textContent = `${percent} %`;
  };

  const send = (bytes, name) => {
    const body = new FormData();
    body.append("csrf_token", form.elements.csrf_token.value); // must come first
    body.append("file", new Blob([bytes], { type: "text/markdown" }), name);
    key ||= Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join("-");

    request = call("POST", form.action, { "Idempotency-Key": key }, body, {
      progress,
      arrived: () => { the("percent").textContent = "saving …"; },
      done: finish,
      failed: (words, answer, status) => stop(words, answer.request_id, status === 401),
      cancelled: () => { stop(); say("Upload cancelled."); },
    });
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
    for (const link of ["files", "download"]) the(link).href += encodeURIComponent(answer.article_id);
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
      } catch { // not allowed: the text stays selected
        button.textContent = "Press Ctrl C";
      }
      say(button.textContent);
      setTimeout(() => { button.textContent = "Copy"; }, 2500);
    });
  }

  show(); // a browser may have kept the file over a reload
});
