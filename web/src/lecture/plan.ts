// What was changed while a network trained: "STEP:RATE:CLIP" with underscores between. It stands in the address, so that the
// same run happens again, with all that was done to it.

export interface Change {
  step: number;
  rate: number;
  clip: number; // 0: none
}

export function readPlan(text: string): Change[] {
  const changes = text.split("_").flatMap((part) => {
    const [step, rate, clip] = part.split(":").map(Number);
    return [step, rate, clip].every(Number.isFinite) && step >= 0 && rate > 0 && rate <= 10 && clip >= 0 ? [{ step, rate, clip }] : [];
  });
  return changes.slice(0, 40).sort((one, other) => one.step - other.step);
}

export function writePlan(plan: readonly Change[]): string {
  return plan.map(({ step, rate, clip }) => `${step}:${rate}:${clip}`).join("_");
}

/** The plan with a change from this step on; what came later has not happened any more. */
export function changed(plan: readonly Change[], change: Change): Change[] {
  return [...plan.filter(({ step }) => step < change.step), change];
}

/** What holds at a step. */
export function holding(plan: readonly Change[], step: number, first: { rate: number; clip: number }): { rate: number; clip: number } {
  return plan.reduce((found, change) => (change.step <= step ? change : found), first);
}
