// Sound from the microphone as 16-bit samples, a tenth of a second at a time.
class Microphone extends AudioWorkletProcessor {
  #held = new Int16Array(Math.round(sampleRate / 10));
  #count = 0;
  process([[channel]]) {
    for (const sample of channel ?? []) {
      this.#held[this.#count++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
      if (this.#count === this.#held.length) {
        this.port.postMessage(this.#held.buffer, [this.#held.buffer]);
        this.#held = new Int16Array(Math.round(sampleRate / 10));
        this.#count = 0;
      }
    }
    return true;
  }
}
registerProcessor("microphone", Microphone);
