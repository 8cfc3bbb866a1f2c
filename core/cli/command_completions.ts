/**
 * `headrace completions SHELL`: what a shell completes, made from the table of
 * commands.
 *
 * @module
 */
import { type Command, EXIT, OPTIONS, type OptionShape } from "./command.ts";

/** Shells that scripts are made for. */
const SHELLS: Readonly<Record<string, (rows: readonly Row[]) => string>> = {
  bash,
  zsh,
  fish,
};

/** A command as completions know it. */
interface Row {
  /** One word, or two; empty for the program itself. */
  readonly name: string;
  readonly does: string;
  /** Options with their dashes. */
  readonly options: readonly string[];
  /** Whether a path may follow. */
  readonly files: boolean;
  /** Words that may follow. */
  readonly choices: readonly string[];
}

/** What every command takes; told where none is named. */
const EVERYWHERE = ["--help", "--version"];

/** Options whose value is a path. */
const PATHS = spellings(({ usage }) => / (?:FILE|BIN)$/.test(usage));

/** Options that a value follows, which is no command. */
const VALUED = spellings(({ type }) => type === "string");

/** Prints the script of a shell. */
export function printCompletions(
  shell: string,
  commands: readonly Command[],
): number {
  const script = completions(shell, commands);
  if (script === undefined) {
    console.error(
      `Completions are made for ${Object.keys(SHELLS).join(", ")}: not for ${
        JSON.stringify(shell)
      }`,
    );
    return EXIT.usage;
  }
  console.log(script);
  return EXIT.ok;
}

/** The script of a shell; undefined for an unknown one. */
export function completions(
  shell: string,
  commands: readonly Command[],
): string | undefined {
  if (!Object.hasOwn(SHELLS, shell)) return undefined;
  const byName = Map.groupBy(commands, ({ name }) => name);
  return SHELLS[shell]!([...byName.values()].map(rowOf));
}

/** The ways to use a command are one to a shell. */
function rowOf(ways: readonly Command[]): Row {
  const { name, does, operands } = ways[0]!;
  const [operand = ""] = operands;
  const options = ways.flatMap((way) => way.options)
    .map((option) => OPTIONS[option].usage.split(" ")[0]!);
  return {
    name,
    does,
    options: [...new Set([...options, ...(name === "" ? EVERYWHERE : [])])]
      .sort(),
    files: operand === "FILE" || operand === "URL",
    choices: operand.includes("|") ? operand.split("|") : [],
  };
}

/** How options of some kind are typed. */
function spellings(which: (option: OptionShape) => boolean): string[] {
  return Object.entries<OptionShape>(OPTIONS).filter(([, option]) =>
    which(option)
  ).flatMap(([name, { short }]) => [
    `--${name}`,
    ...(short === undefined ? [] : [`-${short}`]),
  ]);
}

/** The first words of commands, and by each what may follow as the second one. */
function words(rows: readonly Row[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { name, choices } of rows) {
    if (name === "") continue;
    const [first = "", second] = name.split(" ");
    const seconds = found.get(first) ?? [...choices];
    if (second !== undefined) seconds.push(second);
    found.set(first, seconds);
  }
  return found;
}

function bash(rows: readonly Row[]): string {
  const table = words(rows);
  const cases = rows.map(({ name, options, files }) =>
    `    ${JSON.stringify(name)}) options=${
      JSON.stringify(options.join(" "))
    }; files=${files ? 1 : 0} ;;`
  );
  const seconds = [...table].filter(([, second]) => second.length > 0)
    .map(([first, second]) =>
      `    ${first}) candidates=${JSON.stringify(second.join(" "))} ;;`
    );
  return `# Completions of headrace for bash: source <(headrace completions bash)
_headrace() {
  local current=\${COMP_WORDS[COMP_CWORD]} candidates="" options="" files=0
  local command="" word value=0
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ $value = 1 ]; then value=0; continue; fi
    case $word in
      ${VALUED.join("|")}) value=1 ;;
      -*) ;;
      *) case "$command" in
        "") command=$word ;;
        ${
    [...table.keys()].filter((first) => table.get(first)!.length > 0).join("|")
  }) command="$command $word" ;;
      esac ;;
    esac
  done
  case "$command" in
    "") candidates=${JSON.stringify([...table.keys()].join(" "))} ;;
${seconds.join("\n")}
  esac
  case "$command" in
${cases.join("\n")}
  esac
  COMPREPLY=()
  case \${COMP_WORDS[COMP_CWORD - 1]} in
    ${PATHS.join("|")})
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return ;;
  esac
  case $current in
    -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current") ;;
    *)
      mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$current")
      if [ "$files" = 1 ]; then
        mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
      fi ;;
  esac
}
complete -o filenames -F _headrace headrace`;
}

function zsh(rows: readonly Row[]): string {
  const commands = rows.filter(({ name }) => name !== "");
  const lines = commands.map(({ name, does }) =>
    `    ${quote(`${name.replace(" ", "\\ ")}:${does}`)}`
  );
  const cases = rows.map(({ name, options, files }) =>
    `    ${JSON.stringify(name)}) options=(${options.join(" ")}); files=${
      files ? 1 : 0
    } ;;`
  );
  const pairs = [...words(rows)].filter(([, second]) => second.length > 0)
    .map(([first]) => first).join("|");
  return `#compdef headrace
# Completions of headrace for zsh: headrace completions zsh > "\${fpath[1]}/_headrace"
_headrace() {
  local -a commands options
  local command="" word files=0 value=0
  commands=(
${lines.join("\n")}
  )
  for word in \${words[2,CURRENT-1]}; do
    if (( value )); then value=0; continue; fi
    case $word in
      ${VALUED.join("|")}) value=1 ;;
      -*) ;;
      *) case "$command" in
        "") command=$word ;;
        ${pairs}) command="$command $word" ;;
      esac ;;
    esac
  done
  case "$command" in
${cases.join("\n")}
  esac
  if [[ \${words[CURRENT-1]} == (${PATHS.join("|")}) ]]; then
    _files
    return
  fi
  if [[ $PREFIX == -* ]]; then
    compadd -- $options
    return
  fi
  case "$command" in
    "") _describe command commands ;;
${
    [...words(rows)].filter(([, second]) => second.length > 0)
      .map(([first, second]) =>
        `    ${first}) compadd -- ${second.join(" ")} ;;`
      )
      .join("\n")
  }
  esac
  (( files )) && _files
}
compdef _headrace headrace`;
}

function fish(rows: readonly Row[]): string {
  // What follows an option is no command to it, but it asks for none either.
  const unnamed = `not __fish_seen_subcommand_from ${
    [...words(rows).keys()].join(" ")
  }`;
  const lines = rows.flatMap(({ name, does, options, choices }) => {
    const [first = "", second] = name.split(" ");
    const none = "__fish_use_subcommand";
    const seen = `__fish_seen_subcommand_from ${first}`;
    const command = name === ""
      ? []
      : second === undefined
      ? [`complete -c headrace -n ${none} -a ${first} -d ${quote(does)}`]
      : [
        `complete -c headrace -n ${none} -a ${first}`,
        `complete -c headrace -n ${quote(seen)} -a ${second} -d ${quote(does)}`,
      ];
    const when = name === ""
      ? unnamed
      : second === undefined
      ? seen
      : `${seen}; and __fish_seen_subcommand_from ${second}`;
    return [
      ...command,
      ...choices.map((choice) =>
        `complete -c headrace -f -n ${quote(when)} -a ${choice}`
      ),
      ...options.map((option) =>
        option.startsWith("--")
          ? `complete -c headrace -n ${quote(when)} -l ${option.slice(2)}`
          : `complete -c headrace -n ${quote(when)} -s ${option.slice(1)}`
      ),
    ];
  });
  return [
    "# Completions of headrace for fish: headrace completions fish | source",
    ...new Set(lines),
  ].join("\n");
}

/** In single quotes, as the shells take it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
