/**
 * The clock that tests turn by hand is the one that plugins' tests have.
 *
 * @module
 */
export { FakeClock } from "../../core/testing/fake_clock.ts";
