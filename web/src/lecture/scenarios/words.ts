// Words in, as the models of sentiment and of numbers read them.

export interface Word {
  text: string;
  id: number;
}

/** The words of a text; what the model does not know has id `unknown`. */
export function words(text: string, known: readonly string[], unknown: number): Word[] {
  return (text.match(/[\p{L}\p{N}']+|[.,]/gu) ?? []).slice(0, 60).map((one) => {
    const place = known.indexOf(one.toLowerCase());
    return { text: one, id: place < 0 ? unknown : place };
  });
}
