// Passkeys: a form with data-passkey="create" or "get" asks head office for a challenge (data-begin), the device answers it,
// and the form is sent with the answer. Without passkeys in this browser such a form stays hidden.
(() => {
  "use strict";
  // Browsers make passkeys for names alone, and only where nobody can listen.
  if (!isSecureContext || !window.PublicKeyCredential || /^[0-9.]+$|^\[/.test(location.hostname)) return;
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  function readable(options) {
    const key = options.publicKey;
    key.challenge = bytes(key.challenge);
    if (key.user) key.user.id = bytes(key.user.id);
    for (const list of [key.allowCredentials, key.excludeCredentials]) for (const known of list || []) known.id = bytes(known.id);
    return { publicKey: key };
  }
  function answer(credential) {
    const { response } = credential, out = { clientDataJSON: text(response.clientDataJSON) };
    if (response.attestationObject) {
      out.attestationObject = text(response.attestationObject);
      out.transports = response.getTransports ? response.getTransports() : [];
    } else {
      out.authenticatorData = text(response.authenticatorData);
      out.signature = text(response.signature);
      out.userHandle = response.userHandle ? text(response.userHandle) : null;
    }
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response: out, extensions: {} });
  }
  function say(form, words) {
    const box = form.querySelector("[data-passkey-error]");
    box.querySelector("span").textContent = words;
    box.hidden = !words;
  }
  async function work(form, button) {
    say(form, "");
    button.setAttribute("aria-disabled", "true");
    button.dataset.working = "";
    try {
      const asked = await fetch(form.dataset.begin, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { accept: "application/json" } });
      if (!asked.ok) { say(form, asked.status === 429 ? "Too many tries. Wait a while, then try again." : "Head office did not answer. Load the page again, then try once more."); return; }
      const begun = await asked.json();
      if (begun.go) { location.assign(begun.go); return; }
      const credential = await navigator.credentials[form.dataset.passkey](readable(begun.options));
      form.elements.ceremony.value = begun.ceremony;
      form.elements.credential.value = answer(credential);
      form.submit();
    } catch (error) {
      const words = { NotAllowedError: "Nothing was confirmed on the device, or it took too long. Try again.", InvalidStateError: "This device has a passkey for you already.", SecurityError: "Open head office by its name, not by an address of numbers." };
      say(form, words[error.name] || "The device could not do it. Try again, or use another way.");
    } finally {
      button.removeAttribute("aria-disabled");
      delete button.dataset.working;
    }
  }
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    for (const note of document.querySelectorAll("[data-passkey-none]")) note.hidden = true;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      event.stopPropagation();
      const button = form.querySelector("button[type=submit]");
      if (!button.hasAttribute("data-working")) work(form, button);
    });
  }
})();
