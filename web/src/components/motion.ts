// What moves, and whether it may.

/** Whether the reader asked for less motion: then what plays goes in steps, without anything gliding. */
export function reducedMotion(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Call `work` again and again, a frame after the other, until it returns false or the returned function is called. */
export function eachFrame(work: () => boolean): () => void {
  let frame = 0;
  const next = () => {
    if (work()) frame = requestAnimationFrame(next);
  };
  frame = requestAnimationFrame(next);
  return () => cancelAnimationFrame(frame);
}
