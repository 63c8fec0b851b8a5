// Airflow shows these pages in a frame that may not lead away from itself. A link of Airflow's own page may.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[target=_top]");
  if (!link || window.parent === window) return;
  event.preventDefault();
  const outer = window.parent.document.createElement("a");
  outer.href = link.href;
  outer.target = link.host === location.host ? "_self" : "_blank";
  outer.rel = "noopener";
  outer.click();
});
