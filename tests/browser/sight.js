// What is too faint to read (under 4.5 to 1), too small to tap (under 44 pixels), cut off, too wide.
() => {
  const parts = (colour) => { const n = colour.match(/[\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const ground = (one) => {
    const sheets = [];
    for (let up = one; up; up = up.parentElement) sheets.push(parts(getComputedStyle(up).backgroundColor));
    return sheets.reverse().reduce((under, sheet) => over(sheet, under), dark ? [18, 18, 18, 1] : [255, 255, 255, 1]);
  };
  const seen = (one) => {
    const box = one.getBoundingClientRect();
    return one.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && box.width > 1 && box.height > 1;
  };
  const room = document.documentElement.clientWidth; // innerWidth grows with what is too wide
  document.body.style.overflowWrap = "normal"; // a word that is broken to fit is cut off as well
  const faint = [], small = [], cut = [], words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let word = words.nextNode(); word; word = words.nextNode()) {
    const one = word.parentElement, under = ground(one);
    if (!word.data.trim() || !seen(one)) continue;
    const [more, less] = [light(over(parts(getComputedStyle(one).color), under)), light(under)].sort((a, b) => b - a);
    if ((more + 0.05) / (less + 0.05) < 4.5) faint.push(word.data.trim());
  }
  for (const one of document.querySelectorAll("button, a, summary, textarea, label")) {
    const box = one.getBoundingClientRect();
    if (!seen(one)) continue;
    if (Math.min(box.width, box.height) < 44) small.push(one.innerText || one.id);
    if (one.scrollWidth > one.clientWidth + 1 || box.right > room) cut.push(one.innerText || one.id);
  }
  return { faint, small, cut, wide: document.documentElement.scrollWidth > room };
}
