// Sends file by file and shows how far each is; without it the form sends all at once.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const AT_ONCE = 3;
  const form = the("upload"), file = the("file"), queue = the("queue"), sure = the("sure");
  const limit = Number(form.dataset.maxSize);
  const endings = new Set(file.accept.split(","));
  const token = { "X-CSRF-Token": form.elements.csrf_token.value };
  const waiting = [];   // what is to be sent
  let underWay = 0;     // how many are being sent
  let sent = [], refused = []; // of this round, to be said at its end
  let as = null;        // the name of the row whose button opened the chooser

  const complain = (words) => {
    const line = document.createElement("li");
    line.textContent = words;
    the("failure").querySelector("ul").replaceChildren(line);
    the("failure").querySelector("p").textContent = "";
    the("failure").hidden = false;
  };
  // What is to be seen of files that were taken.
  const note = (words) => {
    const line = document.createElement("li");
    line.textContent = words;
    the("done").querySelector("ul").append(line);
    the("done").hidden = false;
  };
  const ending = (name) => (/[^/.][^/]*(\.[^./]+)$/.exec(name) || ["", ""])[1].toLowerCase();
  const target = (name) => `${form.action}&filename=${encodeURIComponent(name)}`;

  // Why the server would not take it: said before anything is sent. It checks again itself.
  const fault = (chosen, name) => {
    if (ending(name) && !endings.has(ending(name))) return "This type of file is not taken; upload code, notebooks (.ipynb), Markdown (.md) and other text.";
    if (chosen.size > limit) return `It is ${inMiB(chosen.size)} large; at most ${inMiB(limit)} can be uploaded.`;
    if (!chosen.size) return "It is empty.";
    return "";
  };

  const add = (chosen, name, reason) => {
    const row = the("row").content.firstElementChild.cloneNode(true);
    const part = (name) => row.querySelector(name);
    const bar = part("progress"), stop = part(".stop"), again = part(".again");
    let request = null;
    part(".name").textContent = name;
    bar.setAttribute("aria-label", name);
    stop.setAttribute("aria-label", `Cancel ${name}`);
    part(".sign-in").href = form.dataset.signIn;
    const state = (words) => { part(".state").textContent = words; };
    const end = (words) => {
      request = null;
      bar.hidden = true;
      state(words);
      stop.textContent = "Dismiss";
      stop.setAttribute("aria-label", `Dismiss ${name}`);
    };
    const failed = (reason, answer = {}, status = 400) => {
      const words = reason.charAt(0).toUpperCase() + reason.slice(1);
      end(answer.request_id && status >= 500 ? `${words} Request ${answer.request_id}.` : words);
      row.classList.add("failed");
      part(".sign-in").hidden = status !== 401;
      again.hidden = status >= 400 && status < 500 && status !== 408;
      again.setAttribute("aria-label", `Try ${name} again`);
      refused.push(`${name}: ${words}`);
    };
    const send = () => {
      underWay += 1;
      const over = () => { underWay -= 1; next(); };
      state("0 %");
      request = call("POST", target(name), token, chosen, {
        progress: (percent) => { bar.value = percent; state(`${percent} %`); },
        arrived: () => state("saving …"),
        done: (answer) => {
          const { encoding } = (answer.files || [])[0] || {};
          if (encoding) note(`${name} was read as ${encoding}: if its letters look wrong, save it as UTF-8 and upload it again.`);
          row.remove();
          sent.push(name);
          over();
        },
        failed: (words, answer, status) => {
          const line = (answer.files || [])[0];
          failed(line && line.reason || words, answer, status);
          over();
        },
        cancelled: () => { leave(); over(); },
      });
    };
    const leave = () => {
      const focused = row.contains(document.activeElement);
      const neighbour = row.nextElementSibling || row.previousElementSibling;
      row.remove();
      queue.hidden = !queue.children.length;
      if (focused) (neighbour ? neighbour.querySelector(".stop") : file).focus();
    };
    const start = () => {
      row.classList.remove("failed");
      bar.hidden = false;
      bar.value = 0;
      again.hidden = part(".sign-in").hidden = true;
      stop.textContent = "Cancel";
      stop.setAttribute("aria-label", `Cancel ${name}`);
      state("waiting");
      waiting.push(send);
    };
    stop.addEventListener("click", () => {
      const place = waiting.indexOf(send);
      if (place >= 0) waiting.splice(place, 1);
      if (request) return request.abort();
      leave();
    });
    again.addEventListener("click", () => { start(); stop.focus(); next(); });
    queue.append(row);
    if (reason) failed(reason); else start();
  };

  const next = () => {
    while (waiting.length && underWay < AT_ONCE) waiting.shift()();
    queue.hidden = !queue.children.length;
    if (underWay || waiting.length || !sent.length && !refused.length) return;
    const words = [];
    if (sent.length) words.push(sent.length === 1 ? `${sent[0]} was uploaded.` : `${sent.length} files were uploaded.`);
    if (refused.length) words.push("Not uploaded:", ...refused);
    const isChanged = !!sent.length;
    [sent, refused] = [[], []];
    if (isChanged) refresh(words.join(" ")); else say(words.join(" "));
  };

  const take = (files, name) => {
    the("done").hidden = the("failure").hidden = true;
    the("done").querySelector("ul").replaceChildren();
    for (const row of queue.querySelectorAll(".failed")) row.remove();
    for (const chosen of files) {
      const own = chosen.webkitRelativePath || chosen.name;
      const isOther = name && ending(name) !== ending(own);
      add(chosen, name || own, isOther ? `This is ${own}, another type of file.` : fault(chosen, name || own));
    }
    if (files.length) say(files.length === 1 ? "1 file is being uploaded." : `${files.length} files are being uploaded.`);
    next();
  };

  // Takes the list out of a fresh page: markup is written by the server alone.
  const refresh = (words, focus) => {
    const request = new XMLHttpRequest();
    request.open("GET", form.action);
    request.responseType = "document";
    const done = () => {
      const list = request.response && request.response.getElementById("files");
      if (!list) return say(`${words} Reload the page to see the list.`);
      const label = the("files").contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
      the("files").replaceWith(document.importNode(list, true));
      const same = label && Array.from(the("files").querySelectorAll("[aria-label]")).find((it) => it.getAttribute("aria-label") === label);
      if (focus || label) (same || the("files-title")).focus();
      say(words);
    };
    request.onload = request.onerror = done;
    request.send();
  };

  file.addEventListener("change", () => {
    const chosen = Array.from(file.files), name = as;
    as = null;
    file.value = "";
    file.multiple = true;
    take(chosen, name);
  });
  takeDrops(file.parentElement, (files) => take(Array.from(files)));
  file.addEventListener("cancel", () => { as = null; file.multiple = true; });

  // One listener for rows that come and go.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-as], [data-delete]");
    if (event.target === file) return;
    as = null;
    file.multiple = true;
    if (!button) return;
    if (button.dataset.as) {
      as = button.dataset.as;
      file.multiple = false;
      return file.showPicker ? file.showPicker() : file.click();
    }
    event.preventDefault();
    sure.querySelector(".name").textContent = sure.dataset.name = button.dataset.delete;
    sure.returnValue = "";
    sure.showModal();
  });
  sure.addEventListener("close", () => {
    if (sure.returnValue !== "delete") return;
    const { name } = sure.dataset;
    call("DELETE", target(name), token, null, {
      done: () => refresh(`${name} was deleted.`, true),
      failed: (words, answer, status) => status === 404 ? refresh(words, true) : complain(`${name} was not deleted. ${words}`),
    });
  });

  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("beforeunload", (event) => { if (underWay || waiting.length) event.preventDefault(); });
});
