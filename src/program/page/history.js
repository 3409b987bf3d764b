// The past that the page has seen: one value a second for each rule, for three minutes. A second
// or two that were missed take the value after them; a longer gap stays empty (NaN). The values of
// a second lie side by side, since an answer has all of them.

const SPAN = 180;

class Past {
  /** `columns`: names of the values; `size`: rules. */
  constructor(columns, size) {
    this.size = size;
    this.last = -1;
    this.values = {};
    for (const column of columns) this.values[column] = new Array(SPAN).fill(null);
  }

  /** Of rules that stay, by `from[i]`: the index before, or -1. */
  moved(from) {
    const next = new Past(Object.keys(this.values), from.length);
    next.last = this.last;
    for (const [column, values] of Object.entries(this.values))
      next.values[column] = values.map((second) => second && Float32Array.from(from, (old) => (old >= 0 ? second[old] : NaN)));
    return next;
  }

  /** `second`: whole seconds of any clock that goes forward. */
  add(second, row) {
    const missed = this.last < 0 ? 0 : Math.min(second - this.last - 1, SPAN);
    for (const [column, values] of Object.entries(this.values)) {
      const instead = missed <= 2 ? row[column] : null;
      for (let gap = 1; gap <= missed; ++gap) this.fill(values, (this.last + gap) % SPAN, instead);
      this.fill(values, second % SPAN, row[column]);
    }
    this.last = second;
  }

  fill(values, at, given) {
    const second = values[at] || (values[at] = new Float32Array(this.size));
    if (!given) second.fill(NaN);
    else for (let i = 0; i < this.size; ++i) second[i] = given[i] === null ? NaN : given[i];
  }

  /** The last `seconds`, the oldest first. */
  series(column, index, seconds) {
    const values = this.values[column];
    const result = new Float32Array(seconds);
    for (let i = 0; i < seconds; ++i) {
      const at = this.last - seconds + 1 + i;
      const second = at < 0 ? null : values[at % SPAN];
      result[i] = second ? second[index] : NaN;
    }
    return result;
  }
}
