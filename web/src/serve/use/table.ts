// A column of a delimited text, as numbers: for the picture of what was, which the server does not send back.

export function column(text: string, name: string): number[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/).filter(Boolean);
  if (!lines.length) return [];
  const mark = ["\t", ";", ","].find((one) => lines[0].includes(one)) ?? ",";
  const cells = (line: string) => line.split(mark).map((cell) => cell.trim().replace(/^"|"$/g, ""));
  const at = cells(lines[0]).indexOf(name);
  if (at < 0) return [];
  const values = lines.slice(1).map((line) => Number(cells(line)[at]));
  return values.every(Number.isFinite) ? values : [];
}
