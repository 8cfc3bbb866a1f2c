/**
 * The one error of the rule language.
 *
 * @module
 */

/** Why a condition was refused: its text does not parse, or does not fit its primitives. */
export class ConditionError extends SyntaxError {
  override readonly name = "ConditionError";
  /** Where in the condition's text, in UTF-16 units from 0. */
  readonly offset: number;
  /**
   * Whether the text ends inside a string or a parenthesis: in YAML that is
   * mostly a condition that nobody quoted, cut at a `#` or a comma.
   */
  readonly unbalanced: boolean;

  constructor(
    message: string,
    offset: number,
    options: { readonly unbalanced?: boolean; readonly cause?: unknown } = {},
  ) {
    super(
      message,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.offset = offset;
    this.unbalanced = options.unbalanced ?? false;
  }
}
