// The sections in the order of the lecture's outline.
import type { Component } from "svelte";
import Backpropagation from "./Backpropagation.svelte";
import Backward from "./Backward.svelte";
import Forward from "./Forward.svelte";
import Issues from "./Issues.svelte";
import Learn from "./Learn.svelte";
import Scenarios from "./Scenarios.svelte";
import Unit from "./Unit.svelte";
import Why from "./Why.svelte";

export interface Section {
  name: string; // in the address
  title: string;
  short: string;
  page: Component;
}

export const SECTIONS: readonly Section[] = [
  { name: "why", short: "Why", title: "Why recurrent networks", page: Why },
  { name: "unit", short: "The unit", title: "The vanilla RNN unit", page: Unit },
  { name: "forward", short: "Forward", title: "The forward pass", page: Forward },
  { name: "backprop", short: "Backpropagation", title: "Backpropagation, a refresher", page: Backpropagation },
  { name: "backward", short: "Backward", title: "The backward pass", page: Backward },
  { name: "issues", short: "Issues", title: "Issues: vanishing and exploding gradients", page: Issues },
  { name: "learn", short: "Learn it live", title: "Learn it live", page: Learn },
  { name: "scenarios", short: "What for", title: "What they are for", page: Scenarios },
];
