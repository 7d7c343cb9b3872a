// What the scenarios have in the address.
export const BEGIN = {
  kind: "review" as string,
  word: "delicious",
  picture: "00040e0400000000",
  review: "The food was not bad but the service was terrible",
  prompt: "The ",
  temperature: 0.7,
  top_k: 0,
  top_p: 1,
  seed: 1,
  length: 400,
  numbers: "",
  made: 3,
  ahead: 24,
  number: "two thousand three hundred and five",
};
export type Settings = typeof BEGIN;
export const RANGES = { temperature: [0, 2], top_k: [0, 100, 1], top_p: [0.05, 1], seed: [1, 999, 1], length: [10, 5000, 1], made: [1, 99, 1], ahead: [1, 100, 1] } as const;
