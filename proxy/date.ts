/** The value of `date` fields, made once a second (RFC 9110 5.6.7 and 6.6.1). */

/** A function that tells the time of `nowMs` as an IMF-fixdate. */
export function dateField(nowMs: () => number): () => string {
  let second = -1;
  let text = "";
  return () => {
    const now = Math.floor(nowMs() / 1000);
    if (now !== second) {
      second = now;
      text = new Date(now * 1000).toUTCString();
    }
    return text;
  };
}
