function __fish_baton_profiles
    set -l words (commandline -opc)
    set -l config
    for i in (seq 2 (count $words))
        switch $words[$i]
            case --config
                set config --config $words[(math $i + 1)]
            case '--config=*'
                set config $words[$i]
        end
    end
    $words[1] config profiles --quiet $config 2>/dev/null | string replace -r '$' \t'profile'
end

# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_baton_global_optspecs
    string join \n q/quiet error-format= h/help V/version
end

function __fish_baton_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_baton_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_baton_using_subcommand
    set -l cmd (__fish_baton_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c baton -n "__fish_baton_needs_command" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_needs_command" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_needs_command" -s V -l version -d 'Print version'
complete -c baton -n "__fish_baton_needs_command" -f -a "send" -d 'Send one prompt; the answer appears on standard output as it arrives'
complete -c baton -n "__fish_baton_needs_command" -f -a "stream" -d 'Write one answer of any size straight to a file'
complete -c baton -n "__fish_baton_needs_command" -f -a "batch" -d 'Carry a file of prompts to a file of answers; resumable'
complete -c baton -n "__fish_baton_needs_command" -f -a "bench" -d 'Sweep concurrency levels and print the average/TP99 table'
complete -c baton -n "__fish_baton_needs_command" -f -a "check" -d 'Find out whether a relay is fit for use'
complete -c baton -n "__fish_baton_needs_command" -f -a "report" -d 'Print, join and compare saved results'
complete -c baton -n "__fish_baton_needs_command" -f -a "mock" -d 'Run the embedded relay as a server of its own'
complete -c baton -n "__fish_baton_needs_command" -f -a "models" -d 'List the models that the relay offers'
complete -c baton -n "__fish_baton_needs_command" -f -a "route" -d 'Show what is known of a relay\'s endpoints, or ask them for their health'
complete -c baton -n "__fish_baton_needs_command" -f -a "auth" -d 'Log in where a relay wants tokens, and look after the login'
complete -c baton -n "__fish_baton_needs_command" -f -a "cache" -d 'Look at the cache of answers, or empty it'
complete -c baton -n "__fish_baton_needs_command" -f -a "completions" -d 'Print a shell\'s completion script'
complete -c baton -n "__fish_baton_needs_command" -f -a "man" -d 'Print the manual page, or write one for each command into a folder'
complete -c baton -n "__fish_baton_needs_command" -f -a "config" -d 'Show the settings and where each comes from, find the configuration file, keep settings in step between regions'
complete -c baton -n "__fish_baton_using_subcommand send" -s f -l file -d 'Add a file to the prompt: text after a blank line; png, jpeg, gif, webp and PDF as attachments (repeatable)' -r -F
complete -c baton -n "__fish_baton_using_subcommand send" -l messages -d 'Begin with the conversation in this file, or on standard input for `-`: a JSON array of messages with role and content, or an object whose one field is such an array, "messages"; the prompt, if any, follows as the user\'s' -r -F
complete -c baton -n "__fish_baton_using_subcommand send" -s m -l model -d 'Model to ask for' -r
complete -c baton -n "__fish_baton_using_subcommand send" -s s -l system -d 'System prompt, or @FILE to read it from a file' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l max-tokens -d 'Largest number of tokens to generate; k stands for thousands [default: 64 in bench; else 4096 where the dialect wants a limit]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l temperature -d 'Sampling temperature' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l param -d 'Set any field of the body, which wins over every other flag (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l body -d 'Send this file, or standard input for `-`, as the whole body; only `stream` is set in it' -r -F
complete -c baton -n "__fish_baton_using_subcommand send" -s u -l url -d 'Base address of the relay, with or without /v1, with or without a path prefix (repeatable, for several endpoints, of which #zone=a&region=eu&weight=2&priority=1&drain behind the address say more)' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l mock -d 'Start the embedded relay in this process and use it; SPEC as in `baton mock`' -r
complete -c baton -n "__fish_baton_using_subcommand send" -s a -l api -d 'Form of requests and answers [default: messages]' -r -f -a "messages\t''
chat\t''
responses\t''
complete\t''
raw\t''"
complete -c baton -n "__fish_baton_using_subcommand send" -s H -l header -d 'Add a header, written \'Name: value\', replacing the one that would be sent under that name (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l forwarded-for -d 'Send X-Forwarded-For with this address, as a proxy would; it is never sent otherwise' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l key-file -d 'Read the key from a file that only you can read' -r -F
complete -c baton -n "__fish_baton_using_subcommand send" -l key-command -d 'Take the key from what a shell command prints, as a password manager does' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l require-scope -d 'Send nothing unless the profile\'s token allows this (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand send" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand send" -l strategy -d 'How one of several endpoints is chosen among those that are well [default: nearest]' -r -f -a "nearest\t''
balanced\t''
priority\t''
weighted\t''
pinned\t''"
complete -c baton -n "__fish_baton_using_subcommand send" -l session -d 'Keep requests at one of several endpoints, where others of this session go, too, as long as it is well [default: the user that the body names]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l events -d 'Append each decision about endpoints, with its reason, to this file or pipe as a JSON line' -r -F
complete -c baton -n "__fish_baton_using_subcommand send" -l format -d 'Form of the answer: its text, one JSON object, a JSON line for each event, or the wire\'s bytes' -r -f -a "text\t''
json\t''
events\t''
raw\t''"
complete -c baton -n "__fish_baton_using_subcommand send" -l extract -d 'Print only the first fenced block of code or the first JSON value, once the answer is whole; exit with code 1 if it has none' -r -f -a "code\t''
json\t''"
complete -c baton -n "__fish_baton_using_subcommand send" -s o -l output -d 'Write the answer to a file, which takes its name when the answer is whole' -r -F
complete -c baton -n "__fish_baton_using_subcommand send" -l fail-on -d 'Exit with code 10 if the answer ended so (comma-separated); messages and complete call a filter a refusal' -r -f -a "length\t''
refusal\t''
filter\t''"
complete -c baton -n "__fish_baton_using_subcommand send" -l connect-timeout -d 'Limit for name look-up, TCP and TLS together [default: 5s]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l first-byte-timeout -d 'Limit for the first byte of the answer; 0 for none [default: 600s for whole answers, 30s otherwise]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l first-token-timeout -d 'Limit for the first generated delta of a stream; 0 for none [default: 600s]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l idle-timeout -d 'Limit between any two bytes; 0 for none [default: 60s]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l stall-timeout -d 'Limit between two generated deltas of a stream (a ping does not count); 0 for none [default: 120s]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -s t -l timeout -d 'Limit for the whole request, attempts and waits included [default: none]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l cacert -d 'Trust only the certificates in this PEM file' -r -F
complete -c baton -n "__fish_baton_using_subcommand send" -l cert -d 'Show the relay this client certificate (PEM); it may hold the key too' -r -F
complete -c baton -n "__fish_baton_using_subcommand send" -l cert-key -d 'Read the client certificate\'s key (PEM, not encrypted) from this file' -r -F
complete -c baton -n "__fish_baton_using_subcommand send" -s x -l proxy -d 'Use this proxy for everything, in place of the environment\'s: http, https, socks5 or socks5h' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l resolve -d 'Take this address for a host and port instead of looking it up (repeatable, as in curl); the environment\'s proxy is not used then' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l connect-to -d 'Connect to HOST2:PORT2 for HOST1:PORT1, whose name is still asked for (repeatable, as in curl); the environment\'s proxy is not used then' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l unix-socket -d 'Connect to this Unix socket' -r -F
complete -c baton -n "__fish_baton_using_subcommand send" -l max-connections -d 'Have at most this many requests, and so connections, under way at once [default: no limit]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l attempts -d 'Attempts in all, the first one included [default: 3 in send, 1 in bench]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l backoff-base -d 'Multiplier of the exponential back-off [default: 1s]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l backoff-max -d 'Longest back-off [default: 10s]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l max-wait -d 'Longest wait that the relay may ask for before the request is given up [default: 120s]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l request-id-prefix -d 'Put this before each request id' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l compress -d 'Compress request bodies; `auto` by gzip, and not where the relay turns out to refuse it [default: off]' -r -f -a "off\t''
auto\t''
gzip\t''
zstd\t''"
complete -c baton -n "__fish_baton_using_subcommand send" -l compress-level -d 'How hard to compress: 1 to 9 for gzip, 1 to 19 for zstd [default: 1; from 16 KiB on 6 for gzip and 3 for zstd]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l compress-above -d 'Compress bodies of this size and larger; media never [default: 1KiB]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l sign -d 'Sign each attempt by HMAC-SHA256; `sigv4` in place of a credential [default: off]' -r -f -a "off\t''
simple\t''
kong\t''
sigv4\t''"
complete -c baton -n "__fish_baton_using_subcommand send" -l sign-key-id -d 'What the relay finds the key by; for kong and sigv4 NEW,OLD where the file has two keys [default: `BATON_SIGN_KEY_ID`; for sigv4 `AWS_ACCESS_KEY_ID`]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l sign-key-file -d 'Read the signing key from a file, and the one that it replaces from a second line [default: `BATON_SIGN_KEY`; for sigv4 `AWS_SECRET_ACCESS_KEY`]' -r -F
complete -c baton -n "__fish_baton_using_subcommand send" -l sign-region -d 'The region that sigv4 signs for [default: `AWS_REGION` or `AWS_DEFAULT_REGION`]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l sign-service -d 'The service that sigv4 signs for [default: bedrock]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l rate -d 'Let at most so many requests leave in a time, repeated ones included: 60/m, 10/s [default: no limit]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l burst -d 'Let so many requests of --rate leave at once after a pause [default: 1, all evenly spaced]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l rate-scope -d 'Whose requests --rate counts: those of this process, or of all on this machine that ask the same relay with `machine`; tokens are counted by each process for itself [default: process]' -r -f -a "process\t''
machine\t''"
complete -c baton -n "__fish_baton_using_subcommand send" -l token-rate -d 'Let at most so many tokens go in a time: 40000/m for both directions together, input=40000/m,output=8000/m for each [default: no limit]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l cache -d 'Keep answers, and give them to the same request without asking the relay; with `normalized` also to prompts that differ in white space, case or Unicode form only [default: off]' -r -f -a "off\t''
exact\t''
normalized\t''"
complete -c baton -n "__fish_baton_using_subcommand send" -l cache-ttl -d 'How long an answer is good [default: 1d]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l cache-size -d 'Disk space of all answers together; those not used for longest make room [default: 256MiB]' -r
complete -c baton -n "__fish_baton_using_subcommand send" -l cache-dir -d 'Keep answers in this folder [default: ~/.cache/baton]' -r -F
complete -c baton -n "__fish_baton_using_subcommand send" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand send" -l bare-prompt -d 'With --api complete: the body is just {"prompt": …}, and the answer comes whole'
complete -c baton -n "__fish_baton_using_subcommand send" -l no-stream -d 'Ask for the answer whole instead of as a stream'
complete -c baton -n "__fish_baton_using_subcommand send" -l show-reasoning -d 'Print reasoning on standard error even where that is no terminal'
complete -c baton -n "__fish_baton_using_subcommand send" -l dry-run -d 'Print the request as it would leave, secrets masked, and send nothing'
complete -c baton -n "__fish_baton_using_subcommand send" -l curl -d 'Print the request as a curl command, secrets masked, and send nothing'
complete -c baton -n "__fish_baton_using_subcommand send" -l timing -d 'Print a breakdown of times on standard error'
complete -c baton -n "__fish_baton_using_subcommand send" -l http1 -d 'Speak HTTP/1.1 only'
complete -c baton -n "__fish_baton_using_subcommand send" -l http2 -d 'Speak HTTP/2 only, also without TLS'
complete -c baton -n "__fish_baton_using_subcommand send" -s k -l insecure -d 'Verify no certificate'
complete -c baton -n "__fish_baton_using_subcommand send" -l no-keepalive -d 'Make a new connection for each request'
complete -c baton -n "__fish_baton_using_subcommand send" -l no-retry-ambiguous -d 'Do not send a request again that may have been worked on, and paid for, already'
complete -c baton -n "__fish_baton_using_subcommand send" -s v -l verbose -d 'Print a line for each attempt'
complete -c baton -n "__fish_baton_using_subcommand send" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand stream" -s f -l file -d 'Add a file to the prompt: text after a blank line; png, jpeg, gif, webp and PDF as attachments (repeatable)' -r -F
complete -c baton -n "__fish_baton_using_subcommand stream" -l messages -d 'Begin with the conversation in this file, or on standard input for `-`: a JSON array of messages with role and content, or an object whose one field is such an array, "messages"; the prompt, if any, follows as the user\'s' -r -F
complete -c baton -n "__fish_baton_using_subcommand stream" -s m -l model -d 'Model to ask for' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -s s -l system -d 'System prompt, or @FILE to read it from a file' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l max-tokens -d 'Largest number of tokens to generate; k stands for thousands [default: 64 in bench; else 4096 where the dialect wants a limit]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l temperature -d 'Sampling temperature' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l param -d 'Set any field of the body, which wins over every other flag (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l body -d 'Send this file, or standard input for `-`, as the whole body; only `stream` is set in it' -r -F
complete -c baton -n "__fish_baton_using_subcommand stream" -s u -l url -d 'Base address of the relay, with or without /v1, with or without a path prefix (repeatable, for several endpoints, of which #zone=a&region=eu&weight=2&priority=1&drain behind the address say more)' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l mock -d 'Start the embedded relay in this process and use it; SPEC as in `baton mock`' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -s a -l api -d 'Form of requests and answers [default: messages]' -r -f -a "messages\t''
chat\t''
responses\t''
complete\t''
raw\t''"
complete -c baton -n "__fish_baton_using_subcommand stream" -s H -l header -d 'Add a header, written \'Name: value\', replacing the one that would be sent under that name (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l forwarded-for -d 'Send X-Forwarded-For with this address, as a proxy would; it is never sent otherwise' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l key-file -d 'Read the key from a file that only you can read' -r -F
complete -c baton -n "__fish_baton_using_subcommand stream" -l key-command -d 'Take the key from what a shell command prints, as a password manager does' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l require-scope -d 'Send nothing unless the profile\'s token allows this (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand stream" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand stream" -l strategy -d 'How one of several endpoints is chosen among those that are well [default: nearest]' -r -f -a "nearest\t''
balanced\t''
priority\t''
weighted\t''
pinned\t''"
complete -c baton -n "__fish_baton_using_subcommand stream" -l session -d 'Keep requests at one of several endpoints, where others of this session go, too, as long as it is well [default: the user that the body names]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l events -d 'Append each decision about endpoints, with its reason, to this file or pipe as a JSON line' -r -F
complete -c baton -n "__fish_baton_using_subcommand stream" -s o -l output -d 'Write the answer to this file, called FILE.partial until it is whole, or to standard output for `-`' -r -F
complete -c baton -n "__fish_baton_using_subcommand stream" -l format -d 'Form of what is written' -r -f -a "text\t'The generated text'
events\t'A JSON line for each event, with its time'
raw\t'The wire\'s bytes'"
complete -c baton -n "__fish_baton_using_subcommand stream" -l sync -d 'Make what is written survive a power cut: after each piece, once a second and at the end, or when the system sees fit [default: interval]' -r -f -a "always\t'After each piece'
interval\t'Once a second, and at the end'
off\t'Whenever the system sees fit'"
complete -c baton -n "__fish_baton_using_subcommand stream" -l connect-timeout -d 'Limit for name look-up, TCP and TLS together [default: 5s]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l first-byte-timeout -d 'Limit for the first byte of the answer; 0 for none [default: 600s for whole answers, 30s otherwise]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l first-token-timeout -d 'Limit for the first generated delta of a stream; 0 for none [default: 600s]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l idle-timeout -d 'Limit between any two bytes; 0 for none [default: 60s]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l stall-timeout -d 'Limit between two generated deltas of a stream (a ping does not count); 0 for none [default: 120s]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -s t -l timeout -d 'Limit for the whole request, attempts and waits included [default: none]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l cacert -d 'Trust only the certificates in this PEM file' -r -F
complete -c baton -n "__fish_baton_using_subcommand stream" -l cert -d 'Show the relay this client certificate (PEM); it may hold the key too' -r -F
complete -c baton -n "__fish_baton_using_subcommand stream" -l cert-key -d 'Read the client certificate\'s key (PEM, not encrypted) from this file' -r -F
complete -c baton -n "__fish_baton_using_subcommand stream" -s x -l proxy -d 'Use this proxy for everything, in place of the environment\'s: http, https, socks5 or socks5h' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l resolve -d 'Take this address for a host and port instead of looking it up (repeatable, as in curl); the environment\'s proxy is not used then' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l connect-to -d 'Connect to HOST2:PORT2 for HOST1:PORT1, whose name is still asked for (repeatable, as in curl); the environment\'s proxy is not used then' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l unix-socket -d 'Connect to this Unix socket' -r -F
complete -c baton -n "__fish_baton_using_subcommand stream" -l max-connections -d 'Have at most this many requests, and so connections, under way at once [default: no limit]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l attempts -d 'Attempts in all, the first one included [default: 3 in send, 1 in bench]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l backoff-base -d 'Multiplier of the exponential back-off [default: 1s]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l backoff-max -d 'Longest back-off [default: 10s]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l max-wait -d 'Longest wait that the relay may ask for before the request is given up [default: 120s]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l request-id-prefix -d 'Put this before each request id' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l compress -d 'Compress request bodies; `auto` by gzip, and not where the relay turns out to refuse it [default: off]' -r -f -a "off\t''
auto\t''
gzip\t''
zstd\t''"
complete -c baton -n "__fish_baton_using_subcommand stream" -l compress-level -d 'How hard to compress: 1 to 9 for gzip, 1 to 19 for zstd [default: 1; from 16 KiB on 6 for gzip and 3 for zstd]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l compress-above -d 'Compress bodies of this size and larger; media never [default: 1KiB]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l sign -d 'Sign each attempt by HMAC-SHA256; `sigv4` in place of a credential [default: off]' -r -f -a "off\t''
simple\t''
kong\t''
sigv4\t''"
complete -c baton -n "__fish_baton_using_subcommand stream" -l sign-key-id -d 'What the relay finds the key by; for kong and sigv4 NEW,OLD where the file has two keys [default: `BATON_SIGN_KEY_ID`; for sigv4 `AWS_ACCESS_KEY_ID`]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l sign-key-file -d 'Read the signing key from a file, and the one that it replaces from a second line [default: `BATON_SIGN_KEY`; for sigv4 `AWS_SECRET_ACCESS_KEY`]' -r -F
complete -c baton -n "__fish_baton_using_subcommand stream" -l sign-region -d 'The region that sigv4 signs for [default: `AWS_REGION` or `AWS_DEFAULT_REGION`]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l sign-service -d 'The service that sigv4 signs for [default: bedrock]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l rate -d 'Let at most so many requests leave in a time, repeated ones included: 60/m, 10/s [default: no limit]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l burst -d 'Let so many requests of --rate leave at once after a pause [default: 1, all evenly spaced]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l rate-scope -d 'Whose requests --rate counts: those of this process, or of all on this machine that ask the same relay with `machine`; tokens are counted by each process for itself [default: process]' -r -f -a "process\t''
machine\t''"
complete -c baton -n "__fish_baton_using_subcommand stream" -l token-rate -d 'Let at most so many tokens go in a time: 40000/m for both directions together, input=40000/m,output=8000/m for each [default: no limit]' -r
complete -c baton -n "__fish_baton_using_subcommand stream" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand stream" -l bare-prompt -d 'With --api complete: the body is just {"prompt": …}, and the answer comes whole'
complete -c baton -n "__fish_baton_using_subcommand stream" -l append -d 'Add the answer to the end of the file once it is whole'
complete -c baton -n "__fish_baton_using_subcommand stream" -l overwrite -d 'Replace the file, and what an earlier run left of it'
complete -c baton -n "__fish_baton_using_subcommand stream" -l tee -d 'Copy what is written to standard output, too'
complete -c baton -n "__fish_baton_using_subcommand stream" -l timing -d 'Print a breakdown of times on standard error'
complete -c baton -n "__fish_baton_using_subcommand stream" -l http1 -d 'Speak HTTP/1.1 only'
complete -c baton -n "__fish_baton_using_subcommand stream" -l http2 -d 'Speak HTTP/2 only, also without TLS'
complete -c baton -n "__fish_baton_using_subcommand stream" -s k -l insecure -d 'Verify no certificate'
complete -c baton -n "__fish_baton_using_subcommand stream" -l no-keepalive -d 'Make a new connection for each request'
complete -c baton -n "__fish_baton_using_subcommand stream" -l no-retry-ambiguous -d 'Do not send a request again that may have been worked on, and paid for, already'
complete -c baton -n "__fish_baton_using_subcommand stream" -s v -l verbose -d 'Print a line for each attempt'
complete -c baton -n "__fish_baton_using_subcommand stream" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand stream" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand batch" -l template -d 'Make each prompt of this file, in which {{field}} stands for a field of the row' -r -F
complete -c baton -n "__fish_baton_using_subcommand batch" -l skip -d 'Pass over so many rows at the beginning' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l limit -d 'Look at no more than so many rows' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l shard -d 'Send only every OF-th row, as in 1/4 to 4/4, or auto (see bench); the outputs of all parts, merged by index, are one run\'s' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -s m -l model -d 'Model to ask for' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -s s -l system -d 'System prompt, or @FILE to read it from a file' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l max-tokens -d 'Largest number of tokens to generate; k stands for thousands [default: 64 in bench; else 4096 where the dialect wants a limit]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l temperature -d 'Sampling temperature' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l param -d 'Set any field of the body, which wins over every other flag (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -s u -l url -d 'Base address of the relay, with or without /v1, with or without a path prefix (repeatable, for several endpoints, of which #zone=a&region=eu&weight=2&priority=1&drain behind the address say more)' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l mock -d 'Start the embedded relay in this process and use it; SPEC as in `baton mock`' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -s a -l api -d 'Form of requests and answers [default: messages]' -r -f -a "messages\t''
chat\t''
responses\t''
complete\t''
raw\t''"
complete -c baton -n "__fish_baton_using_subcommand batch" -s H -l header -d 'Add a header, written \'Name: value\', replacing the one that would be sent under that name (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l forwarded-for -d 'Send X-Forwarded-For with this address, as a proxy would; it is never sent otherwise' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l key-file -d 'Read the key from a file that only you can read' -r -F
complete -c baton -n "__fish_baton_using_subcommand batch" -l key-command -d 'Take the key from what a shell command prints, as a password manager does' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l require-scope -d 'Send nothing unless the profile\'s token allows this (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand batch" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand batch" -l strategy -d 'How one of several endpoints is chosen among those that are well [default: nearest]' -r -f -a "nearest\t''
balanced\t''
priority\t''
weighted\t''
pinned\t''"
complete -c baton -n "__fish_baton_using_subcommand batch" -l session -d 'Keep requests at one of several endpoints, where others of this session go, too, as long as it is well [default: the user that the body names]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l events -d 'Append each decision about endpoints, with its reason, to this file or pipe as a JSON line' -r -F
complete -c baton -n "__fish_baton_using_subcommand batch" -s o -l output -d 'Where answers go, in the order of the rows [default: standard output]' -r -F
complete -c baton -n "__fish_baton_using_subcommand batch" -l output-form -d 'Form of the output\'s lines' -r -f -a "baton\t''
openai\t''
anthropic\t''
text\t''"
complete -c baton -n "__fish_baton_using_subcommand batch" -l summary -d 'Write the summary as JSON to this file, too' -r -F
complete -c baton -n "__fish_baton_using_subcommand batch" -l journal -d 'Where finished rows are kept until the output is whole [default: OUTPUT.journal]' -r -F
complete -c baton -n "__fish_baton_using_subcommand batch" -l sync -d 'When finished rows are made safe against a loss of power' -r -f -a "always\t'Before a row counts as finished'
interval\t'Once a second'
off\t'When the system sees fit'"
complete -c baton -n "__fish_baton_using_subcommand batch" -s c -l concurrency -d 'Requests in flight at once' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l drain -d 'How long rows in flight may take to finish once the run is stopped' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l max-errors -d 'Stop once so many rows have failed, or this share of them (from the hundredth row on)' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l max-cost -d 'Stop once the answers have cost so many dollars, at the configured prices; rows in flight still finish' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l max-requests -d 'Stop after so many requests, retries included; rows in flight still finish' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l rate -d 'Let at most so many requests leave in a time, repeated ones included: 60/m, 10/s [default: no limit]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l burst -d 'Let so many requests of --rate leave at once after a pause [default: 1, all evenly spaced]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l rate-scope -d 'Whose requests --rate counts: those of this process, or of all on this machine that ask the same relay with `machine`; tokens are counted by each process for itself [default: process]' -r -f -a "process\t''
machine\t''"
complete -c baton -n "__fish_baton_using_subcommand batch" -l token-rate -d 'Let at most so many tokens go in a time: 40000/m for both directions together, input=40000/m,output=8000/m for each [default: no limit]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l cache -d 'Keep answers, and give them to the same request without asking the relay; with `normalized` also to prompts that differ in white space, case or Unicode form only [default: off]' -r -f -a "off\t''
exact\t''
normalized\t''"
complete -c baton -n "__fish_baton_using_subcommand batch" -l cache-ttl -d 'How long an answer is good [default: 1d]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l cache-size -d 'Disk space of all answers together; those not used for longest make room [default: 256MiB]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l cache-dir -d 'Keep answers in this folder [default: ~/.cache/baton]' -r -F
complete -c baton -n "__fish_baton_using_subcommand batch" -l connect-timeout -d 'Limit for name look-up, TCP and TLS together [default: 5s]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l first-byte-timeout -d 'Limit for the first byte of the answer; 0 for none [default: 600s for whole answers, 30s otherwise]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l first-token-timeout -d 'Limit for the first generated delta of a stream; 0 for none [default: 600s]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l idle-timeout -d 'Limit between any two bytes; 0 for none [default: 60s]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l stall-timeout -d 'Limit between two generated deltas of a stream (a ping does not count); 0 for none [default: 120s]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -s t -l timeout -d 'Limit for the whole request, attempts and waits included [default: none]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l cacert -d 'Trust only the certificates in this PEM file' -r -F
complete -c baton -n "__fish_baton_using_subcommand batch" -l cert -d 'Show the relay this client certificate (PEM); it may hold the key too' -r -F
complete -c baton -n "__fish_baton_using_subcommand batch" -l cert-key -d 'Read the client certificate\'s key (PEM, not encrypted) from this file' -r -F
complete -c baton -n "__fish_baton_using_subcommand batch" -s x -l proxy -d 'Use this proxy for everything, in place of the environment\'s: http, https, socks5 or socks5h' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l resolve -d 'Take this address for a host and port instead of looking it up (repeatable, as in curl); the environment\'s proxy is not used then' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l connect-to -d 'Connect to HOST2:PORT2 for HOST1:PORT1, whose name is still asked for (repeatable, as in curl); the environment\'s proxy is not used then' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l unix-socket -d 'Connect to this Unix socket' -r -F
complete -c baton -n "__fish_baton_using_subcommand batch" -l max-connections -d 'Have at most this many requests, and so connections, under way at once [default: no limit]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l attempts -d 'Attempts in all, the first one included [default: 3 in send, 1 in bench]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l backoff-base -d 'Multiplier of the exponential back-off [default: 1s]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l backoff-max -d 'Longest back-off [default: 10s]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l max-wait -d 'Longest wait that the relay may ask for before the request is given up [default: 120s]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l request-id-prefix -d 'Put this before each request id' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l compress -d 'Compress request bodies; `auto` by gzip, and not where the relay turns out to refuse it [default: off]' -r -f -a "off\t''
auto\t''
gzip\t''
zstd\t''"
complete -c baton -n "__fish_baton_using_subcommand batch" -l compress-level -d 'How hard to compress: 1 to 9 for gzip, 1 to 19 for zstd [default: 1; from 16 KiB on 6 for gzip and 3 for zstd]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l compress-above -d 'Compress bodies of this size and larger; media never [default: 1KiB]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l sign -d 'Sign each attempt by HMAC-SHA256; `sigv4` in place of a credential [default: off]' -r -f -a "off\t''
simple\t''
kong\t''
sigv4\t''"
complete -c baton -n "__fish_baton_using_subcommand batch" -l sign-key-id -d 'What the relay finds the key by; for kong and sigv4 NEW,OLD where the file has two keys [default: `BATON_SIGN_KEY_ID`; for sigv4 `AWS_ACCESS_KEY_ID`]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l sign-key-file -d 'Read the signing key from a file, and the one that it replaces from a second line [default: `BATON_SIGN_KEY`; for sigv4 `AWS_SECRET_ACCESS_KEY`]' -r -F
complete -c baton -n "__fish_baton_using_subcommand batch" -l sign-region -d 'The region that sigv4 signs for [default: `AWS_REGION` or `AWS_DEFAULT_REGION`]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l sign-service -d 'The service that sigv4 signs for [default: bedrock]' -r
complete -c baton -n "__fish_baton_using_subcommand batch" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand batch" -l text -d 'Each line is a prompt, not JSON'
complete -c baton -n "__fish_baton_using_subcommand batch" -l bare-prompt -d 'With --api complete: the body is just {"prompt": …}, and the answer comes whole'
complete -c baton -n "__fish_baton_using_subcommand batch" -l unordered -d 'Write rows as they finish, not in the order of the input'
complete -c baton -n "__fish_baton_using_subcommand batch" -l overwrite -d 'Start over: replace an output, and a journal, that are there'
complete -c baton -n "__fish_baton_using_subcommand batch" -l resume -d 'Go on with a run that was broken off; without one, begin'
complete -c baton -n "__fish_baton_using_subcommand batch" -l retry-failed -d 'Send only the rows that failed; with --resume, those and the ones never sent'
complete -c baton -n "__fish_baton_using_subcommand batch" -l no-dedupe -d 'Send rows that ask for the same each on its own'
complete -c baton -n "__fish_baton_using_subcommand batch" -l strict -d 'Stop at the first line that is no row'
complete -c baton -n "__fish_baton_using_subcommand batch" -l stream -d 'Ask for streams and fold them, so that long answers outlive relays that cut silent connections'
complete -c baton -n "__fish_baton_using_subcommand batch" -l fail-fast -d 'Stop at the first row that fails'
complete -c baton -n "__fish_baton_using_subcommand batch" -l http1 -d 'Speak HTTP/1.1 only'
complete -c baton -n "__fish_baton_using_subcommand batch" -l http2 -d 'Speak HTTP/2 only, also without TLS'
complete -c baton -n "__fish_baton_using_subcommand batch" -s k -l insecure -d 'Verify no certificate'
complete -c baton -n "__fish_baton_using_subcommand batch" -l no-keepalive -d 'Make a new connection for each request'
complete -c baton -n "__fish_baton_using_subcommand batch" -l no-retry-ambiguous -d 'Do not send a request again that may have been worked on, and paid for, already'
complete -c baton -n "__fish_baton_using_subcommand batch" -s v -l verbose -d 'Print a line for each attempt'
complete -c baton -n "__fish_baton_using_subcommand batch" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand batch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand bench" -s f -l file -d 'Add a file to the prompt: text after a blank line; png, jpeg, gif, webp and PDF as attachments (repeatable)' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l messages -d 'Begin with the conversation in this file, or on standard input for `-`: a JSON array of messages with role and content, or an object whose one field is such an array, "messages"; the prompt, if any, follows as the user\'s' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -s m -l model -d 'Model to ask for' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -s s -l system -d 'System prompt, or @FILE to read it from a file' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l max-tokens -d 'Largest number of tokens to generate; k stands for thousands [default: 64 in bench; else 4096 where the dialect wants a limit]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l temperature -d 'Sampling temperature' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l param -d 'Set any field of the body, which wins over every other flag (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l body -d 'Send this file, or standard input for `-`, as the whole body; only `stream` is set in it' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l prompts -d 'Send the rows of this file, or of standard input for `-`, one after the other and over and over, in any form that batch takes; fields of a row win over flags (repeatable)' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l mix -d 'Mix traffic: a JSONL file of {"weight": 3, "model": "…", "prompts": "FILE"}, or "prompt" or "synthetic" for "prompts"' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l synthetic -d 'Make prompts up of so many tokens (of four characters each), by --seed, and let answers have so many; a length is a number, lognormal:MEDIAN:SIGMA or exp:MEAN' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l turns -d 'Make each user\'s requests conversations of so many turns: a request repeats the turns before it and their answers' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -s u -l url -d 'Base address of the relay, with or without /v1, with or without a path prefix (repeatable, for several endpoints, of which #zone=a&region=eu&weight=2&priority=1&drain behind the address say more)' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l mock -d 'Start the embedded relay in this process and use it; SPEC as in `baton mock`' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -s a -l api -d 'Form of requests and answers [default: messages]' -r -f -a "messages\t''
chat\t''
responses\t''
complete\t''
raw\t''"
complete -c baton -n "__fish_baton_using_subcommand bench" -s H -l header -d 'Add a header, written \'Name: value\', replacing the one that would be sent under that name (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l forwarded-for -d 'Send X-Forwarded-For with this address, as a proxy would; it is never sent otherwise' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l key-file -d 'Read the key from a file that only you can read' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l key-command -d 'Take the key from what a shell command prints, as a password manager does' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l require-scope -d 'Send nothing unless the profile\'s token allows this (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand bench" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l strategy -d 'How one of several endpoints is chosen among those that are well [default: nearest]' -r -f -a "nearest\t''
balanced\t''
priority\t''
weighted\t''
pinned\t''"
complete -c baton -n "__fish_baton_using_subcommand bench" -l session -d 'Keep requests at one of several endpoints, where others of this session go, too, as long as it is well [default: the user that the body names]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l events -d 'Append each decision about endpoints, with its reason, to this file or pipe as a JSON line' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -s c -l concurrency -d 'Users at once, level by level: a list (50,100,200), ranges (10..200:10, 1..8) or both; in an open loop the most requests in flight [default: 50,100,200; in an open loop as many as there are descriptors for]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -s r -l rate -d 'Requests a second, minute or hour, sent when they are due (open loop); a list is a level each' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l arrival -l arrivals -d 'How arrivals follow one another [default: constant]' -r -f -a "constant\t''
poisson\t''"
complete -c baton -n "__fish_baton_using_subcommand bench" -l seed -d 'What everything random grows from: arrivals, the order of prompts, made-up ones, marks [default: 1]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l stage -d 'Move in this time to this rate, from --rate or from none; more than one make a course (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l replay -d 'Send the prompts of a JSONL file at their times: {"offset_s": 1.5, "prompt": "…"} a line' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -s d -s z -l duration -d 'Measured window of each level [default: 10s]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -s n -l requests -d 'Requests of each level, in place of a window and at least one a user; k and m stand for thousands and millions' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l warmup -d 'Time before each window in which requests are made and not recorded' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l drain -d 'How long requests in flight at the end of a window may take to finish and count' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l workers -d 'Threads that make the load [default: one a core]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l direct -d 'Make each request twice, through the relay and straight to this base address, and print what the relay adds; -n counts the pairs, and the relay\'s key, headers and certificate do not go there' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l direct-profile -d 'Take the key, the headers and the model for --direct from this profile [default: no key, the same model]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l fail-if -d 'Exit with 99 where this is true of a level, as in \'ttft.p99 > 800ms\', \'error_rate > 1%\' or \'rate < 50/s @c=100\' (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l slo -d 'Count the requests that meet this, as in \'ttft < 500ms\': the goodput (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l baseline -d 'Exit with 99 where a figure is worse than in this earlier result of the same plan, beyond the noise' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l noise -d 'Relative change up to which a figure counts as unchanged [default: 5%]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l max-requests -d 'Make at most so many requests in all, warm-ups and those before the load included; what a retry sends counts, too' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l max-cost -d 'End the run once its answers, those before the load included, have cost so many dollars at the configured prices; requests in flight still finish' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l max-time -d 'End the run when its levels have taken so long; requests in flight still finish' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l shard -d 'Carry only part NUMBER of so many, as in 2/4; auto reads it from JOB_COMPLETION_INDEX and JOB_COMPLETIONS, SLURM_PROCID and SLURM_NTASKS, or MPI\'s variables' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l start-at -d 'Begin the first level at this time (RFC 3339, as in 2026-11-23T05:12:00Z), and each further one a slot later' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l slot -d 'Time from the beginning of one level to that of the next [default: warm-up, window and drain]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l format -d 'Form of the report' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
junit\t''
html\t''
hdr\t''"
complete -c baton -n "__fish_baton_using_subcommand bench" -s o -l output -d 'Write the report to a file' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l save -d 'Keep the whole result, histograms included, as JSON' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l log -d 'Append a JSON line for each request to a file as the run goes: its id, its class, its times in Unix nanoseconds' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l connect-timeout -d 'Limit for name look-up, TCP and TLS together [default: 5s]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l first-byte-timeout -d 'Limit for the first byte of the answer; 0 for none [default: 600s for whole answers, 30s otherwise]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l first-token-timeout -d 'Limit for the first generated delta of a stream; 0 for none [default: 600s]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l idle-timeout -d 'Limit between any two bytes; 0 for none [default: 60s]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l stall-timeout -d 'Limit between two generated deltas of a stream (a ping does not count); 0 for none [default: 120s]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -s t -l timeout -d 'Limit for the whole request, attempts and waits included [default: none]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l cacert -d 'Trust only the certificates in this PEM file' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l cert -d 'Show the relay this client certificate (PEM); it may hold the key too' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l cert-key -d 'Read the client certificate\'s key (PEM, not encrypted) from this file' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -s x -l proxy -d 'Use this proxy for everything, in place of the environment\'s: http, https, socks5 or socks5h' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l resolve -d 'Take this address for a host and port instead of looking it up (repeatable, as in curl); the environment\'s proxy is not used then' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l connect-to -d 'Connect to HOST2:PORT2 for HOST1:PORT1, whose name is still asked for (repeatable, as in curl); the environment\'s proxy is not used then' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l unix-socket -d 'Connect to this Unix socket' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l max-connections -d 'Have at most this many requests, and so connections, under way at once [default: no limit]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l attempts -d 'Attempts in all, the first one included [default: 3 in send, 1 in bench]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l backoff-base -d 'Multiplier of the exponential back-off [default: 1s]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l backoff-max -d 'Longest back-off [default: 10s]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l max-wait -d 'Longest wait that the relay may ask for before the request is given up [default: 120s]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l request-id-prefix -d 'Put this before each request id' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l compress -d 'Compress request bodies; `auto` by gzip, and not where the relay turns out to refuse it [default: off]' -r -f -a "off\t''
auto\t''
gzip\t''
zstd\t''"
complete -c baton -n "__fish_baton_using_subcommand bench" -l compress-level -d 'How hard to compress: 1 to 9 for gzip, 1 to 19 for zstd [default: 1; from 16 KiB on 6 for gzip and 3 for zstd]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l compress-above -d 'Compress bodies of this size and larger; media never [default: 1KiB]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l sign -d 'Sign each attempt by HMAC-SHA256; `sigv4` in place of a credential [default: off]' -r -f -a "off\t''
simple\t''
kong\t''
sigv4\t''"
complete -c baton -n "__fish_baton_using_subcommand bench" -l sign-key-id -d 'What the relay finds the key by; for kong and sigv4 NEW,OLD where the file has two keys [default: `BATON_SIGN_KEY_ID`; for sigv4 `AWS_ACCESS_KEY_ID`]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l sign-key-file -d 'Read the signing key from a file, and the one that it replaces from a second line [default: `BATON_SIGN_KEY`; for sigv4 `AWS_SECRET_ACCESS_KEY`]' -r -F
complete -c baton -n "__fish_baton_using_subcommand bench" -l sign-region -d 'The region that sigv4 signs for [default: `AWS_REGION` or `AWS_DEFAULT_REGION`]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l sign-service -d 'The service that sigv4 signs for [default: bedrock]' -r
complete -c baton -n "__fish_baton_using_subcommand bench" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand bench" -l bare-prompt -d 'With --api complete: the body is just {"prompt": …}, and the answer comes whole'
complete -c baton -n "__fish_baton_using_subcommand bench" -l text -d 'Each line of the files of --prompts or --mix is a prompt, not JSON'
complete -c baton -n "__fish_baton_using_subcommand bench" -l shuffle -d 'Send the rows of --prompts or --mix each time through in another order, by --seed'
complete -c baton -n "__fish_baton_using_subcommand bench" -l unique -d 'Put a mark before the words of each request so that no cache answers; by --seed if given, else new in each run'
complete -c baton -n "__fish_baton_using_subcommand bench" -l no-stream -d 'Ask for whole answers instead of streams'
complete -c baton -n "__fish_baton_using_subcommand bench" -l selftest -d 'Carry the same levels, for at most 3s each, to an embedded relay that answers at once first, and say what this machine can do'
complete -c baton -n "__fish_baton_using_subcommand bench" -l find-capacity -d 'Search for the largest load at which every --slo holds: users from -c on, or with --rate arrivals from that rate on'
complete -c baton -n "__fish_baton_using_subcommand bench" -l force -d 'Compare results of different plans, at the levels that both have'
complete -c baton -n "__fish_baton_using_subcommand bench" -l http1 -d 'Speak HTTP/1.1 only'
complete -c baton -n "__fish_baton_using_subcommand bench" -l http2 -d 'Speak HTTP/2 only, also without TLS'
complete -c baton -n "__fish_baton_using_subcommand bench" -s k -l insecure -d 'Verify no certificate'
complete -c baton -n "__fish_baton_using_subcommand bench" -l no-keepalive -d 'Make a new connection for each request'
complete -c baton -n "__fish_baton_using_subcommand bench" -l no-retry-ambiguous -d 'Do not send a request again that may have been worked on, and paid for, already'
complete -c baton -n "__fish_baton_using_subcommand bench" -s v -l verbose -d 'Print a line for each attempt'
complete -c baton -n "__fish_baton_using_subcommand bench" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand check" -s u -l url -d 'Base address of the relay, with or without /v1, with or without a path prefix (repeatable, for several endpoints, of which #zone=a&region=eu&weight=2&priority=1&drain behind the address say more)' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l mock -d 'Start the embedded relay in this process and use it; SPEC as in `baton mock`' -r
complete -c baton -n "__fish_baton_using_subcommand check" -s a -l api -d 'Form of requests and answers [default: messages]' -r -f -a "messages\t''
chat\t''
responses\t''
complete\t''
raw\t''"
complete -c baton -n "__fish_baton_using_subcommand check" -s H -l header -d 'Add a header, written \'Name: value\', replacing the one that would be sent under that name (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l forwarded-for -d 'Send X-Forwarded-For with this address, as a proxy would; it is never sent otherwise' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l key-file -d 'Read the key from a file that only you can read' -r -F
complete -c baton -n "__fish_baton_using_subcommand check" -l key-command -d 'Take the key from what a shell command prints, as a password manager does' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l require-scope -d 'Send nothing unless the profile\'s token allows this (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand check" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand check" -s m -l model -d 'Model to ask for' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l upstream -d 'Play the relay\'s upstream at this address, and compare both ends' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l only -d 'Make only these checks, by id (C01,C03)' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l skip -d 'Leave these checks out' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l severity -d 'Make only checks of at least this severity: low, medium or high' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l max-requests -d 'Make at most this many requests, those of --soak aside; checks beyond are skipped' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l max-cost -d 'Ask no more once answers have cost so many dollars, at the configured prices; checks beyond are skipped' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l limit -d 'Check that the relay holds this rate limit (60/m) for the key, by asking for more; with --intrusive' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l soak -d 'Ask for so long and watch the relay\'s memory; with --intrusive, and --pid or --metrics-url' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l pid -d 'Process of this machine whose memory is watched' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l metrics-url -d 'Page in Prometheus\' form that states the relay\'s resident memory' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l time-scale -d 'Multiply every wait by this, on both ends; for trying the checks themselves' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l format -d 'Form of the report' -r -f -a "table\t''
json\t''
junit\t''
markdown\t''"
complete -c baton -n "__fish_baton_using_subcommand check" -s o -l output -d 'Write the report to a file' -r -F
complete -c baton -n "__fish_baton_using_subcommand check" -l baseline -d 'Accept the failures of this earlier report (--format json); only new ones decide the exit code' -r -F
complete -c baton -n "__fish_baton_using_subcommand check" -l connect-timeout -d 'Limit for name look-up, TCP and TLS together [default: 5s]' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l first-byte-timeout -d 'Limit for the first byte of the answer; 0 for none [default: 600s for whole answers, 30s otherwise]' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l first-token-timeout -d 'Limit for the first generated delta of a stream; 0 for none [default: 600s]' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l idle-timeout -d 'Limit between any two bytes; 0 for none [default: 60s]' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l stall-timeout -d 'Limit between two generated deltas of a stream (a ping does not count); 0 for none [default: 120s]' -r
complete -c baton -n "__fish_baton_using_subcommand check" -s t -l timeout -d 'Limit for the whole request, attempts and waits included [default: none]' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l cacert -d 'Trust only the certificates in this PEM file' -r -F
complete -c baton -n "__fish_baton_using_subcommand check" -l cert -d 'Show the relay this client certificate (PEM); it may hold the key too' -r -F
complete -c baton -n "__fish_baton_using_subcommand check" -l cert-key -d 'Read the client certificate\'s key (PEM, not encrypted) from this file' -r -F
complete -c baton -n "__fish_baton_using_subcommand check" -s x -l proxy -d 'Use this proxy for everything, in place of the environment\'s: http, https, socks5 or socks5h' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l resolve -d 'Take this address for a host and port instead of looking it up (repeatable, as in curl); the environment\'s proxy is not used then' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l connect-to -d 'Connect to HOST2:PORT2 for HOST1:PORT1, whose name is still asked for (repeatable, as in curl); the environment\'s proxy is not used then' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l unix-socket -d 'Connect to this Unix socket' -r -F
complete -c baton -n "__fish_baton_using_subcommand check" -l max-connections -d 'Have at most this many requests, and so connections, under way at once [default: no limit]' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l sign -d 'Sign each attempt by HMAC-SHA256; `sigv4` in place of a credential [default: off]' -r -f -a "off\t''
simple\t''
kong\t''
sigv4\t''"
complete -c baton -n "__fish_baton_using_subcommand check" -l sign-key-id -d 'What the relay finds the key by; for kong and sigv4 NEW,OLD where the file has two keys [default: `BATON_SIGN_KEY_ID`; for sigv4 `AWS_ACCESS_KEY_ID`]' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l sign-key-file -d 'Read the signing key from a file, and the one that it replaces from a second line [default: `BATON_SIGN_KEY`; for sigv4 `AWS_SECRET_ACCESS_KEY`]' -r -F
complete -c baton -n "__fish_baton_using_subcommand check" -l sign-region -d 'The region that sigv4 signs for [default: `AWS_REGION` or `AWS_DEFAULT_REGION`]' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l sign-service -d 'The service that sigv4 signs for [default: bedrock]' -r
complete -c baton -n "__fish_baton_using_subcommand check" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand check" -l intrusive -d 'Also make checks that load the relay: large bodies, one that unpacks to far more, and those of --limit and --soak'
complete -c baton -n "__fish_baton_using_subcommand check" -l self -d 'Examine this machine and this installation, and ask no relay'
complete -c baton -n "__fish_baton_using_subcommand check" -l dry-run -d 'Say what would be asked, and ask nothing'
complete -c baton -n "__fish_baton_using_subcommand check" -l list-checks -d 'List the checks and exit; --format markdown explains them'
complete -c baton -n "__fish_baton_using_subcommand check" -l http1 -d 'Speak HTTP/1.1 only'
complete -c baton -n "__fish_baton_using_subcommand check" -l http2 -d 'Speak HTTP/2 only, also without TLS'
complete -c baton -n "__fish_baton_using_subcommand check" -s k -l insecure -d 'Verify no certificate'
complete -c baton -n "__fish_baton_using_subcommand check" -l no-keepalive -d 'Make a new connection for each request'
complete -c baton -n "__fish_baton_using_subcommand check" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand report; and not __fish_seen_subcommand_from show merge compare" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand report; and not __fish_seen_subcommand_from show merge compare" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand report; and not __fish_seen_subcommand_from show merge compare" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand report; and not __fish_seen_subcommand_from show merge compare" -f -a "show" -d 'Print a saved result in any form'
complete -c baton -n "__fish_baton_using_subcommand report; and not __fish_seen_subcommand_from show merge compare" -f -a "merge" -d 'Add up the results of the shards of one plan'
complete -c baton -n "__fish_baton_using_subcommand report; and not __fish_seen_subcommand_from show merge compare" -f -a "compare" -d 'Compare a result with an earlier one'
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from show" -l format -d 'Form of the report' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
junit\t''
html\t''
hdr\t''"
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from show" -s o -l output -d 'Write the report to a file' -r -F
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from show" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from merge" -l format -d 'Form of the report' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
junit\t''
html\t''
hdr\t''"
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from merge" -s o -l output -d 'Write the report to a file' -r -F
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from merge" -l save -d 'Keep the sum, histograms included, as JSON' -r -F
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from merge" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from merge" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from merge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from compare" -l noise -d 'Relative change up to which a figure counts as unchanged [default: 5%]' -r
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from compare" -l format -d 'Form of the report' -r -f -a "table\t''
json\t''
markdown\t''"
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from compare" -s o -l output -d 'Write the report to a file' -r -F
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from compare" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from compare" -l force -d 'Compare results of different plans, at the levels that both have'
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from compare" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand report; and __fish_seen_subcommand_from compare" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand mock" -l listen -d 'Address to listen on; port 0 takes a free one' -r
complete -c baton -n "__fish_baton_using_subcommand mock" -l log -d 'Append the times of each request to this file, as JSON lines' -r -F
complete -c baton -n "__fish_baton_using_subcommand mock" -l accept-encoding -d 'Undo these codings of request bodies (gzip, zstd or gzip,zstd), up to 32 MiB; others get a 415, larger ones a 413' -r
complete -c baton -n "__fish_baton_using_subcommand mock" -l require-key -d 'Let in only requests with one key, which is in this file (one a line; only you can read it); others get a 401' -r -F
complete -c baton -n "__fish_baton_using_subcommand mock" -l allow-ip -d 'Let in only requests from these addresses (repeatable); others get a 403' -r
complete -c baton -n "__fish_baton_using_subcommand mock" -l trusted-proxies -d 'With --allow-ip: take the client\'s address from X-Forwarded-For, to which this many proxies have appended; counted from its right end, so that a client\'s own claims do not count [default: 0, the connection\'s address]' -r
complete -c baton -n "__fish_baton_using_subcommand mock" -l sign -d 'Answer prompts, and list models, only where that is asked for with a signature of this scheme, no more than 5 minutes ago, and not twice by one signature' -r -f -a "simple\t''
kong\t''
sigv4\t''"
complete -c baton -n "__fish_baton_using_subcommand mock" -l sign-key-id -d 'With --sign: the name of the key; for kong and sigv4 A,B where the file has two' -r
complete -c baton -n "__fish_baton_using_subcommand mock" -l sign-key-file -d 'With --sign: the file of the key; a second line is a key that serves, too' -r -F
complete -c baton -n "__fish_baton_using_subcommand mock" -l sign-region -d 'With --sign sigv4: let in only signatures for this region' -r
complete -c baton -n "__fish_baton_using_subcommand mock" -l sign-clock -d 'With --sign: tell a time that is so far ahead of this machine\'s, and judge signatures by it' -r
complete -c baton -n "__fish_baton_using_subcommand mock" -l service-key-file -d 'Let in only tokens that this key verifies: a public key (RSA or P-256) in PEM form, or a secret; the tokens are for mock-relay, and for an hour at most' -r -F
complete -c baton -n "__fish_baton_using_subcommand mock" -l threads -d 'Threads to serve with [default: one a core]' -r
complete -c baton -n "__fish_baton_using_subcommand mock" -l zones -d 'Be several relays in one process, each with an address and counters of its own [their ports: that of --listen and those after it]' -r
complete -c baton -n "__fish_baton_using_subcommand mock" -l control -d 'Open an address on this machine that changes latency, errors, silence and drain of each zone as it runs [default: a free port]' -r
complete -c baton -n "__fish_baton_using_subcommand mock" -l personality -d 'Be a relay with known faults: a personality (--list-personalities), or habits as in buffer+leak-slots' -r
complete -c baton -n "__fish_baton_using_subcommand mock" -l upstream -d 'With --personality: forward to this address, instead of to answers of its own' -r
complete -c baton -n "__fish_baton_using_subcommand mock" -l gateway-key-file -d 'With --personality: let in only the key in this file' -r -F
complete -c baton -n "__fish_baton_using_subcommand mock" -l time-scale -d 'With --personality: multiply the wait after which such a relay gives its upstream up' -r
complete -c baton -n "__fish_baton_using_subcommand mock" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand mock" -l list-personalities -d 'List the personalities with the habits that make them, and exit'
complete -c baton -n "__fish_baton_using_subcommand mock" -l list-faults -d 'List the faults that a model\'s name or SPEC can ask for, and exit'
complete -c baton -n "__fish_baton_using_subcommand mock" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand mock" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand models" -s u -l url -d 'Base address of the relay, with or without /v1, with or without a path prefix (repeatable, for several endpoints, of which #zone=a&region=eu&weight=2&priority=1&drain behind the address say more)' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l mock -d 'Start the embedded relay in this process and use it; SPEC as in `baton mock`' -r
complete -c baton -n "__fish_baton_using_subcommand models" -s a -l api -d 'Form of requests and answers [default: messages]' -r -f -a "messages\t''
chat\t''
responses\t''
complete\t''
raw\t''"
complete -c baton -n "__fish_baton_using_subcommand models" -s H -l header -d 'Add a header, written \'Name: value\', replacing the one that would be sent under that name (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l forwarded-for -d 'Send X-Forwarded-For with this address, as a proxy would; it is never sent otherwise' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l key-file -d 'Read the key from a file that only you can read' -r -F
complete -c baton -n "__fish_baton_using_subcommand models" -l key-command -d 'Take the key from what a shell command prints, as a password manager does' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l require-scope -d 'Send nothing unless the profile\'s token allows this (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand models" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand models" -l format -d 'Form of the list: a table, or one JSON object' -r -f -a "table\t''
json\t''"
complete -c baton -n "__fish_baton_using_subcommand models" -l connect-timeout -d 'Limit for name look-up, TCP and TLS together [default: 5s]' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l first-byte-timeout -d 'Limit for the first byte of the answer; 0 for none [default: 600s for whole answers, 30s otherwise]' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l first-token-timeout -d 'Limit for the first generated delta of a stream; 0 for none [default: 600s]' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l idle-timeout -d 'Limit between any two bytes; 0 for none [default: 60s]' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l stall-timeout -d 'Limit between two generated deltas of a stream (a ping does not count); 0 for none [default: 120s]' -r
complete -c baton -n "__fish_baton_using_subcommand models" -s t -l timeout -d 'Limit for the whole request, attempts and waits included [default: none]' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l cacert -d 'Trust only the certificates in this PEM file' -r -F
complete -c baton -n "__fish_baton_using_subcommand models" -l cert -d 'Show the relay this client certificate (PEM); it may hold the key too' -r -F
complete -c baton -n "__fish_baton_using_subcommand models" -l cert-key -d 'Read the client certificate\'s key (PEM, not encrypted) from this file' -r -F
complete -c baton -n "__fish_baton_using_subcommand models" -s x -l proxy -d 'Use this proxy for everything, in place of the environment\'s: http, https, socks5 or socks5h' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l resolve -d 'Take this address for a host and port instead of looking it up (repeatable, as in curl); the environment\'s proxy is not used then' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l connect-to -d 'Connect to HOST2:PORT2 for HOST1:PORT1, whose name is still asked for (repeatable, as in curl); the environment\'s proxy is not used then' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l unix-socket -d 'Connect to this Unix socket' -r -F
complete -c baton -n "__fish_baton_using_subcommand models" -l max-connections -d 'Have at most this many requests, and so connections, under way at once [default: no limit]' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l sign -d 'Sign each attempt by HMAC-SHA256; `sigv4` in place of a credential [default: off]' -r -f -a "off\t''
simple\t''
kong\t''
sigv4\t''"
complete -c baton -n "__fish_baton_using_subcommand models" -l sign-key-id -d 'What the relay finds the key by; for kong and sigv4 NEW,OLD where the file has two keys [default: `BATON_SIGN_KEY_ID`; for sigv4 `AWS_ACCESS_KEY_ID`]' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l sign-key-file -d 'Read the signing key from a file, and the one that it replaces from a second line [default: `BATON_SIGN_KEY`; for sigv4 `AWS_SECRET_ACCESS_KEY`]' -r -F
complete -c baton -n "__fish_baton_using_subcommand models" -l sign-region -d 'The region that sigv4 signs for [default: `AWS_REGION` or `AWS_DEFAULT_REGION`]' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l sign-service -d 'The service that sigv4 signs for [default: bedrock]' -r
complete -c baton -n "__fish_baton_using_subcommand models" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand models" -l http1 -d 'Speak HTTP/1.1 only'
complete -c baton -n "__fish_baton_using_subcommand models" -l http2 -d 'Speak HTTP/2 only, also without TLS'
complete -c baton -n "__fish_baton_using_subcommand models" -s k -l insecure -d 'Verify no certificate'
complete -c baton -n "__fish_baton_using_subcommand models" -l no-keepalive -d 'Make a new connection for each request'
complete -c baton -n "__fish_baton_using_subcommand models" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand models" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand route; and not __fish_seen_subcommand_from status drain resume probe" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand route; and not __fish_seen_subcommand_from status drain resume probe" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand route; and not __fish_seen_subcommand_from status drain resume probe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand route; and not __fish_seen_subcommand_from status drain resume probe" -f -a "status" -d 'Show what runs have learned of a profile\'s endpoints: health, latency, share, ejections, last change and why'
complete -c baton -n "__fish_baton_using_subcommand route; and not __fish_seen_subcommand_from status drain resume probe" -f -a "drain" -d 'Give an endpoint nothing new, in runs under way, too: for a planned move away from it'
complete -c baton -n "__fish_baton_using_subcommand route; and not __fish_seen_subcommand_from status drain resume probe" -f -a "resume" -d 'Give a drained endpoint its part again'
complete -c baton -n "__fish_baton_using_subcommand route; and not __fish_seen_subcommand_from status drain resume probe" -f -a "probe" -d 'Ask each endpoint for its health now, three times, and show how far it is'
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from status" -l format -d 'Form of what is printed' -r -f -a "table\t''
json\t''"
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from status" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from status" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from status" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from drain" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from drain" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from drain" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from drain" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from drain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from resume" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from resume" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from resume" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from resume" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from probe" -s u -l url -d 'Base address of an endpoint (repeatable)' -r
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from probe" -l format -d 'Form of what is printed' -r -f -a "table\t''
json\t''"
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from probe" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from probe" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from probe" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from probe" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand route; and __fish_seen_subcommand_from probe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand auth; and not __fish_seen_subcommand_from status login refresh logout" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand auth; and not __fish_seen_subcommand_from status login refresh logout" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand auth; and not __fish_seen_subcommand_from status login refresh logout" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand auth; and not __fish_seen_subcommand_from status login refresh logout" -f -a "status" -d 'Print whether the profile\'s token holds, and for how long; exit with code 3 if a login is required'
complete -c baton -n "__fish_baton_using_subcommand auth; and not __fish_seen_subcommand_from status login refresh logout" -f -a "login" -d 'Log in: by a code that is typed in a browser, by a refresh token, or by the client\'s own secret, as the profile says'
complete -c baton -n "__fish_baton_using_subcommand auth; and not __fish_seen_subcommand_from status login refresh logout" -f -a "refresh" -d 'Renew the token now'
complete -c baton -n "__fish_baton_using_subcommand auth; and not __fish_seen_subcommand_from status login refresh logout" -f -a "logout" -d 'Forget the token; the server is not told'
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from status" -l format -d 'Form of what is printed' -r -f -a "table\t''
json\t''"
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from status" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from status" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from status" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from login" -l refresh-token-file -d 'Begin with the refresh token in this file, which only you can read, instead' -r -F
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from login" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from login" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from login" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from login" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from refresh" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from refresh" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from refresh" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from refresh" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from refresh" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from logout" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from logout" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from logout" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from logout" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand auth; and __fish_seen_subcommand_from logout" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand cache; and not __fish_seen_subcommand_from stats clear" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand cache; and not __fish_seen_subcommand_from stats clear" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand cache; and not __fish_seen_subcommand_from stats clear" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand cache; and not __fish_seen_subcommand_from stats clear" -f -a "stats" -d 'Print how many answers are kept, in how much space, and when they were last used'
complete -c baton -n "__fish_baton_using_subcommand cache; and not __fish_seen_subcommand_from stats clear" -f -a "clear" -d 'Remove every answer'
complete -c baton -n "__fish_baton_using_subcommand cache; and __fish_seen_subcommand_from stats" -l format -d 'Form of what is printed' -r -f -a "table\t''
json\t''"
complete -c baton -n "__fish_baton_using_subcommand cache; and __fish_seen_subcommand_from stats" -l cache-dir -d 'Keep answers in this folder [default: ~/.cache/baton]' -r -F
complete -c baton -n "__fish_baton_using_subcommand cache; and __fish_seen_subcommand_from stats" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand cache; and __fish_seen_subcommand_from stats" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand cache; and __fish_seen_subcommand_from stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand cache; and __fish_seen_subcommand_from clear" -l format -d 'Form of what is printed' -r -f -a "table\t''
json\t''"
complete -c baton -n "__fish_baton_using_subcommand cache; and __fish_seen_subcommand_from clear" -l cache-dir -d 'Keep answers in this folder [default: ~/.cache/baton]' -r -F
complete -c baton -n "__fish_baton_using_subcommand cache; and __fish_seen_subcommand_from clear" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand cache; and __fish_seen_subcommand_from clear" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand cache; and __fish_seen_subcommand_from clear" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand completions" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand completions" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand man" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand man" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand config; and not __fish_seen_subcommand_from show path profiles sync" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand config; and not __fish_seen_subcommand_from show path profiles sync" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand config; and not __fish_seen_subcommand_from show path profiles sync" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand config; and not __fish_seen_subcommand_from show path profiles sync" -f -a "show" -d 'Print every setting with its value and what decided it, secrets hidden'
complete -c baton -n "__fish_baton_using_subcommand config; and not __fish_seen_subcommand_from show path profiles sync" -f -a "path" -d 'Print the path of the configuration file that is read, or would be if it existed'
complete -c baton -n "__fish_baton_using_subcommand config; and not __fish_seen_subcommand_from show path profiles sync" -f -a "profiles" -d 'Print the names of the configuration file\'s profiles, one a line'
complete -c baton -n "__fish_baton_using_subcommand config; and not __fish_seen_subcommand_from show path profiles sync" -f -a "sync" -d 'Fetch what the profile\'s config-url serves, check it, keep it, and print which source serves which version'
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from show" -l format -d 'Form of the list' -r -f -a "table\t''
json\t''"
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from show" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from show" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from path" -l config -d 'Name the file, as for every other command' -r -F
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from path" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from path" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from path" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from profiles" -l config -d 'Name the file, as for every other command' -r -F
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from profiles" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from profiles" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from profiles" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from sync" -l format -d 'Form of what is printed; with --watch, a table for each change, or a line of JSON for each poll' -r -f -a "table\t''
json\t''"
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from sync" -l profile -d 'Take what no flag and no variable says from this profile of the configuration file' -x -a "(__fish_baton_profiles)"
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from sync" -l config -d 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]' -r -F
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from sync" -l error-format -d 'How an error is printed on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object'"
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from sync" -l once -d 'Look at each source once'
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from sync" -l watch -d 'Look every config-poll (30 s, a fifth more or less), until a signal comes'
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from sync" -l fail -d 'End a --watch, too, where --once fails'
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from sync" -s q -l quiet -d 'Silence notices and progress'
complete -c baton -n "__fish_baton_using_subcommand config; and __fish_seen_subcommand_from sync" -s h -l help -d 'Print help (see more with \'--help\')'
