// Keeps what is typed and pressed before the page's code is there, in order. earlyInput() ends that, and answers the
// keys as they were, and for all else a function that does it again.
(() => {
  const MAX = 200;
  const NAMED = /^(.|Enter|Escape|Tab|Backspace|Delete|Arrow.*|Home|End|F2)$/u;
  let kept = [];
  const fields = new Map();
  // True once something opens that the next keys are for.
  let ahead = false;
  const keep = (again) => kept.length < MAX && kept.push(again);
  const isText = (on) => on.matches?.("input:not([type=checkbox],[type=radio],[type=button],[type=submit]),textarea,select");
  const caret = (on, at) => {
    try {
      on.setSelectionRange(at, at);
    } catch {
      // A field of another kind than text has none.
    }
  };
  const restore = (on, was) => {
    if (!on.isConnected) return;
    const differs = "value" in was && on.value !== was.value;
    if ("checked" in was) on.checked = was.checked;
    // What the field says after the end of a line is the begin of the next one.
    else if (differs && (was.select || was.ended)) on.value = was.value;
    else if (differs) {
      // Where the page has put another text there, what was typed comes after it.
      const moved = on.value !== was.base && was.value.startsWith(was.base);
      on.value = moved ? on.value + was.value.slice(was.base.length) : was.value;
      caret(on, moved ? on.value.length : was.at);
    }
    on.dispatchEvent(new InputEvent("input", { bubbles: true }));
    if (was.changed) on.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const wrote = (event) => {
    const on = event.target;
    if (!("value" in on)) return;
    let was = fields.get(on);
    if (!was) {
      was = { base: on.defaultValue ?? "" };
      fields.set(on, was);
      keep(() => restore(on, was));
    }
    if (on.type === "checkbox" || on.type === "radio") was.checked = on.checked;
    was.select = on.tagName === "SELECT";
    // A password stays in its field alone.
    if (on.type !== "password") was.value = on.value;
    was.at = on.selectionEnd;
    was.changed ||= event.type === "change";
  };
  const listeners = {
    keydown(event) {
      const { target: on, key } = event;
      const control = event.ctrlKey || event.metaKey;
      const opens = control ? !event.shiftKey && !event.altKey && key.toLowerCase() === "k" : key === "/" && !isText(on);
      if (event.isComposing || (!opens && (control || event.altKey || !NAMED.test(key)))) return;
      if (!opens && !ahead) {
        // What the browser does by itself: it writes, presses what has the keyboard, goes on and scrolls.
        const own = isText(on) ? on.tagName !== "INPUT" || on.form || key !== "Enter" : /^(Enter| |Tab)$/.test(key);
        if (own || (on === document.body && !/^([a-z]|F2|Escape|Delete|Backspace)$/i.test(key))) return;
      }
      ahead ||= opens;
      event.preventDefault();
      const { code, shiftKey, ctrlKey, metaKey } = event;
      if (ahead || !isText(on)) {
        keep({ target: ahead ? null : on, key, code, shiftKey, ctrlKey, metaKey });
        return;
      }
      // Enter in a field without a form is for this field, wherever the keyboard goes then. A line is over with it, and
      // the next one is another.
      const line = on.type === "text" && kept.length < MAX && fields.get(on);
      if (line) {
        line.ended = true;
        fields.delete(on);
        on.value = on.defaultValue;
      }
      const again = { key, code, shiftKey, bubbles: true, cancelable: true };
      keep(() => on.isConnected && on.dispatchEvent(new KeyboardEvent("keydown", again)));
    },
    // Whoever points somewhere means the keys for what is there.
    pointerdown() {
      ahead = false;
      kept = kept.filter((one) => typeof one === "function");
    },
    input: wrote,
    change: wrote,
    click(event) {
      const on = event.target.closest?.("button,[role=button]");
      if (!on || on.disabled || (on.form && on.type === "submit")) return;
      // Whoever presses again where nothing happens means the same.
      if (kept.at(-1)?.on !== on) keep(Object.assign(() => on.isConnected && on.click(), { on }));
    },
    dblclick(event) {
      const on = event.target.closest?.("[role=button]");
      if (on) keep(() => on.isConnected && on.dispatchEvent(new MouseEvent("dblclick", { bubbles: true })));
    },
    submit(event) {
      const { target: form, submitter } = event;
      if (form.hasAttribute("action") || form.method === "dialog") return;
      event.preventDefault();
      keep(() => form.isConnected && form.requestSubmit(submitter));
    },
  };
  for (const name in listeners) addEventListener(name, listeners[name], true);
  window.earlyInput = () => {
    for (const name in listeners) removeEventListener(name, listeners[name], true);
    delete window.earlyInput;
    fields.clear();
    const on = document.activeElement;
    // A key is for what had the keyboard when it was pressed, and for nothing else.
    const all = kept.filter(({ target }) => !target || target === on);
    kept = [];
    // Whoever is in a field already came there before anything heard of it.
    if (isText(on)) all.unshift(() => on === document.activeElement && on.dispatchEvent(new FocusEvent("focus")));
    return all;
  };
})();
