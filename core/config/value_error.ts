/**
 * The refusal of one value of the config.
 *
 * @module
 */

/**
 * A value that is not what its key wants. The message says what was expected
 * and never repeats the value, which may be a secret: whoever reports it knows
 * the value and whether it may be shown.
 */
export class ValueError extends Error {
  override readonly name = "ValueError";
  /** What was probably meant. */
  readonly suggestion: string | undefined;

  constructor(message: string, suggestion?: string) {
    super(message);
    this.suggestion = suggestion;
  }
}
