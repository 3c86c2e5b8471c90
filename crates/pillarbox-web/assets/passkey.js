// The one script of these pages: it asks the browser for a passkey and sends its answer with the form. Every page works without;
// what needs it is hidden until it runs in a browser that knows passkeys.
(() => {
  "use strict";
  if (!window.PublicKeyCredential || !navigator.credentials) return;

  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""))
      .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const named = (list) => list.map((one) => ({ ...one, id: bytes(one.id) }));

  // What the server wants, as the browser takes it.
  function read(options) {
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    if (options.excludeCredentials) options.excludeCredentials = named(options.excludeCredentials);
    if (options.allowCredentials) options.allowCredentials = named(options.allowCredentials);
    return options;
  }

  // What the browser gives, as the server takes it.
  function print(credential) {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    }
    return JSON.stringify({ id: credential.id, type: credential.type, response });
  }

  function words(fault) {
    switch (fault.name) {
      case "InvalidStateError": return "This device has a passkey for this account already.";
      case "NotAllowedError": return "No passkey was given. Try again when you are ready.";
      case "SecurityError": return "Passkeys do not work at this address. Open the page by the server’s own name.";
      default: return fault.told || "That did not work. Please try again.";
    }
  }

  async function ask(button) {
    const form = button.form;
    const asked = await fetch(button.dataset.options, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const answer = await asked.json();
    // The page, asked for anew, leads to signing in again.
    if (answer.again) return location.reload();
    if (!asked.ok) throw { told: answer.error };
    const publicKey = read(answer);
    const making = button.dataset.passkey === "create";
    const credential = await (making ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey }));
    form.elements.credential.value = print(credential);
    if (button.name) {
      const pressed = document.createElement("input");
      Object.assign(pressed, { type: "hidden", name: button.name, value: button.value });
      form.append(pressed);
    }
    form.submit();
  }

  for (const one of document.querySelectorAll("[data-passkey-shown]")) one.hidden = false;
  for (const one of document.querySelectorAll("[data-passkey-gone]")) one.hidden = true;
  for (const button of document.querySelectorAll("button[data-passkey]")) {
    const error = button.form.querySelector("[data-passkey-error]");
    button.addEventListener("click", async (event) => {
      event.preventDefault();
      error.hidden = button.disabled = true;
      try {
        await ask(button);
      } catch (fault) {
        error.textContent = words(fault);
        error.hidden = button.disabled = false;
      }
    });
  }
})();
