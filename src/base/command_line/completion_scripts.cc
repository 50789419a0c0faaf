#include "base/command_line/completion_scripts.h"

#include "base/error.h"

namespace flox {
namespace {

// bash takes a word apart at '=' and ':' (COMP_WORDBREAKS) and replaces its last part alone: the parts go to
// the program as one word, and what stands before the last one is taken off its answers.
constexpr const char* bash_script =
    R"sh(# bash completion of PROGRAM. Load it with: source <(PROGRAM completion bash)
_PROGRAM() {
  local line=${COMP_LINE:0:COMP_POINT} words=() part word before= i
  for ((i = 0; i <= COMP_CWORD; i++)); do
    part=${COMP_WORDS[i]}
    if [[ $i -gt 0 && -n $line && $line != [[:space:]]* ]]; then
      part=${part:0:${#line}}
      words[${#words[@]}-1]+=$part
    else
      line=${line#"${line%%[![:space:]]*}"}
      part=${part:0:${#line}}
      words+=("$part")
    fi
    line=${line:${#part}}
  done
  word=${words[${#words[@]}-1]}
  [[ $word != *[=:]* ]] || before=${word%"${word##*[=:]}"}
  COMPREPLY=()
  local kind= candidate meaning
  while IFS=$'\t' read -r candidate meaning; do
    if [[ -z $kind ]]; then
      kind=$candidate
    else
      candidate=${candidate#"$before"}
      [[ $kind == directories ]] || printf -v candidate %q "$candidate"
      COMPREPLY+=("$candidate")
    fi
  done < <("${COMP_WORDS[0]}" complete-words words "${words[@]:1}" 2>/dev/null)
  case $kind in
    files) [[ ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default ;;
    directories) compopt -o filenames -o plusdirs ;;
  esac
}
complete -F _PROGRAM PROGRAM
)sh";

constexpr const char* zsh_script = R"sh(#compdef PROGRAM
# zsh completion of PROGRAM. Load it with: source <(PROGRAM completion zsh)
_PROGRAM() {
  local kind= line candidate
  local -a candidates
  while IFS= read -r line; do
    if [[ -z $kind ]]; then
      kind=$line
      continue
    fi
    candidate=${${line%%$'\t'*}//:/\\:}
    candidates+=("$candidate:${line#*$'\t'}")
  done < <("${words[1]}" complete-words words "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)
  (( ${#candidates} )) && _describe -V 'PROGRAM' candidates
  case $kind in
    files) (( ${#candidates} )) || _files ;;
    directories) _files -/ ;;
  esac
}
if [[ ${funcstack[1]-} == _PROGRAM ]]; then
  _PROGRAM "$@"
else
  compdef _PROGRAM PROGRAM
fi
)sh";

constexpr const char* fish_script =
    R"sh(# fish completion of PROGRAM. Load it with: PROGRAM completion fish | source
function __PROGRAM_complete
    set -l before (commandline -opc)
    set -l typed (commandline -ct)
    set -l answer ($before[1] complete-words words $before[2..-1] "$typed" 2>/dev/null)
    printf '%s\n' $answer[2..-1]
    switch "$answer[1]"
        case files
            test (count $answer) -gt 1; or __fish_complete_path "$typed"
        case directories
            __fish_complete_directories "$typed" ''
    end
end
complete -c PROGRAM -f -a '(__PROGRAM_complete)'
)sh";

}  // namespace

const std::vector<std::string>& completed_shells() {
  static const std::vector<std::string> shells = {"bash", "fish", "zsh"};
  return shells;
}

std::string completion_script(const std::string& shell, const std::string& program) {
  std::string text = shell == "bash"   ? bash_script
                     : shell == "zsh"  ? zsh_script
                     : shell == "fish" ? fish_script
                                       : "";
  if (text.empty())
    throw Error(ErrorKind::invalid_input, fmt::format("there is no completion for the shell '{}'", shell),
                fmt::format("Name one of {}.", fmt::join(completed_shells(), ", ")));
  constexpr std::string_view name = "PROGRAM";
  for (size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += program.size())
    text.replace(at, name.size(), program);
  return text;
}

std::string completion_file(const std::string& shell, const std::string& program) {
  if (shell == "bash") return "bash-completion/completions/" + program;
  if (shell == "zsh") return "zsh/site-functions/_" + program;
  return "fish/vendor_completions.d/" + program + ".fish";
}

}  // namespace flox
