"use strict";
// j and k move through the threads of the queue, or the messages of a thread.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (!["j", "k"].includes(event.key) || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const places = [...document.querySelectorAll(".queue .subject, .messages article")];
  const at = places.findIndex((place) => place.contains(document.activeElement));
  const next = places[event.key === "j" ? at + 1 : Math.max(at - 1, 0)];
  if (next) next.focus();
});
