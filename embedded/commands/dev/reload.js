(() => {
  "use strict";
  if (window.inspirationDev) return;
  window.inspirationDev = true;
  const key = "inspiration-dev", pause = 200;
  let shown;
  // What was last seen in this tab: a change between the page's answer and the first question isn't missed.
  const seen = {
    get value() { try { return sessionStorage.getItem(key) } catch { return this.kept } },
    set value(version) { try { sessionStorage.setItem(key, version) } catch { this.kept = version } },
  };
  const say = (text) => {
    if (shown) shown.remove();
    shown = undefined;
    if (!text) return;
    shown = document.createElement("pre");
    shown.id = key;
    shown.setAttribute("role", "alert");
    shown.textContent = text;
    Object.assign(shown.style, {
      position: "fixed", zIndex: "2147483647", inset: "auto 0 0 0", margin: "0", padding: "1em", maxHeight: "60vh",
      overflow: "auto", background: "#8b0000", color: "#fff", font: "14px/1.5 monospace", whiteSpace: "pre-wrap",
      textAlign: "left",
    });
    (document.body || document.documentElement).append(shown);
  };
  const look = async () => {
    let wait = pause;
    try {
      const answer = await fetch("/.dev/state.json", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      const state = await answer.json();
      const before = seen.value;
      seen.value = state.version;
      if (before && before !== state.version) return location.reload();
      if ((shown ? shown.textContent : "") !== state.error) say(state.error);
    } catch {
      wait = 1000;
    }
    setTimeout(look, wait);
  };
  look();
})();
