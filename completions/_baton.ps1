
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'baton' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'baton'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'baton' {
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How an error is printed on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('send', 'send', [CompletionResultType]::ParameterValue, 'Send one prompt; the answer appears on standard output as it arrives')
            [CompletionResult]::new('bench', 'bench', [CompletionResultType]::ParameterValue, 'Sweep concurrency levels and print the average/TP99 table')
            [CompletionResult]::new('mock', 'mock', [CompletionResultType]::ParameterValue, 'Run the embedded relay as a server of its own')
            [CompletionResult]::new('models', 'models', [CompletionResultType]::ParameterValue, 'List the models that the relay offers')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a shell''s completion script')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page, or write one for each command into a folder')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Show the settings and where each comes from, or where the configuration file is')
            break
        }
        'baton;send' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Add a file to the prompt: text after a blank line; png, jpeg, gif, webp and PDF as attachments (repeatable)')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Add a file to the prompt: text after a blank line; png, jpeg, gif, webp and PDF as attachments (repeatable)')
            [CompletionResult]::new('--messages', '--messages', [CompletionResultType]::ParameterName, 'Begin with the conversation in this file, or on standard input for `-`: a JSON array of messages with role and content, or an object whose one field is such an array, "messages"; the prompt, if any, follows as the user''s')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Model to ask for')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'Model to ask for')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'System prompt, or @FILE to read it from a file')
            [CompletionResult]::new('--system', '--system', [CompletionResultType]::ParameterName, 'System prompt, or @FILE to read it from a file')
            [CompletionResult]::new('--max-tokens', '--max-tokens', [CompletionResultType]::ParameterName, 'Largest number of tokens to generate')
            [CompletionResult]::new('--temperature', '--temperature', [CompletionResultType]::ParameterName, 'Sampling temperature')
            [CompletionResult]::new('--param', '--param', [CompletionResultType]::ParameterName, 'Set any field of the body, which wins over every other flag (repeatable)')
            [CompletionResult]::new('--body', '--body', [CompletionResultType]::ParameterName, 'Send this file, or standard input for `-`, as the whole body; only `stream` is set in it')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Base address of the relay, with or without /v1, with or without a path prefix')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Base address of the relay, with or without /v1, with or without a path prefix')
            [CompletionResult]::new('--mock', '--mock', [CompletionResultType]::ParameterName, 'Start the embedded relay in this process and use it; SPEC as in `baton mock`')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Form of requests and answers [default: messages]')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'Form of requests and answers [default: messages]')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Add a header, written ''Name: value'', replacing the one that would be sent under that name (repeatable)')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'Add a header, written ''Name: value'', replacing the one that would be sent under that name (repeatable)')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'Read the key from a file')
            [CompletionResult]::new('--key-command', '--key-command', [CompletionResultType]::ParameterName, 'Take the key from what a shell command prints, as a password manager does')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Take what no flag and no variable says from this profile of the configuration file')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the answer: its text, one JSON object, a JSON line for each event, or the wire''s bytes')
            [CompletionResult]::new('--extract', '--extract', [CompletionResultType]::ParameterName, 'Print only the first fenced block of code or the first JSON value, once the answer is whole; exit with code 1 if it has none')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write the answer to a file, which takes its name when the answer is whole')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write the answer to a file, which takes its name when the answer is whole')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'Exit with code 10 if the answer ended so (comma-separated)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit for name look-up, TCP and TLS together [default: 5s]')
            [CompletionResult]::new('--first-byte-timeout', '--first-byte-timeout', [CompletionResultType]::ParameterName, 'Limit for the first byte of the answer; 0 for none [default: 600s for whole answers, 30s otherwise]')
            [CompletionResult]::new('--first-token-timeout', '--first-token-timeout', [CompletionResultType]::ParameterName, 'Limit for the first generated delta of a stream; 0 for none [default: 600s]')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'Limit between any two bytes; 0 for none [default: 60s]')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Limit between two generated deltas of a stream (a ping does not count); 0 for none [default: 120s]')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit for the whole request, attempts and waits included [default: none]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Limit for the whole request, attempts and waits included [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust only the certificates in this PEM file')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Use this proxy for everything, in place of the environment''s')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Use this proxy for everything, in place of the environment''s')
            [CompletionResult]::new('--attempts', '--attempts', [CompletionResultType]::ParameterName, 'Attempts in all, the first one included')
            [CompletionResult]::new('--backoff-base', '--backoff-base', [CompletionResultType]::ParameterName, 'Multiplier of the exponential back-off [default: 1s]')
            [CompletionResult]::new('--backoff-max', '--backoff-max', [CompletionResultType]::ParameterName, 'Longest back-off [default: 10s]')
            [CompletionResult]::new('--max-wait', '--max-wait', [CompletionResultType]::ParameterName, 'Longest wait that the relay may ask for before the request is given up [default: 120s]')
            [CompletionResult]::new('--request-id-prefix', '--request-id-prefix', [CompletionResultType]::ParameterName, 'Put this before each request id')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How an error is printed on standard error')
            [CompletionResult]::new('--bare-prompt', '--bare-prompt', [CompletionResultType]::ParameterName, 'With --api complete: the body is just {"prompt": …}, and the answer comes whole')
            [CompletionResult]::new('--no-stream', '--no-stream', [CompletionResultType]::ParameterName, 'Ask for the answer whole instead of as a stream')
            [CompletionResult]::new('--show-reasoning', '--show-reasoning', [CompletionResultType]::ParameterName, 'Print reasoning on standard error even where that is no terminal')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the request as it would leave, secrets masked, and send nothing')
            [CompletionResult]::new('--curl', '--curl', [CompletionResultType]::ParameterName, 'Print the request as a curl command, secrets masked, and send nothing')
            [CompletionResult]::new('--timing', '--timing', [CompletionResultType]::ParameterName, 'Print a breakdown of times on standard error')
            [CompletionResult]::new('--http1', '--http1', [CompletionResultType]::ParameterName, 'Speak HTTP/1.1 only')
            [CompletionResult]::new('--http2', '--http2', [CompletionResultType]::ParameterName, 'Speak HTTP/2 only, also without TLS')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Verify no certificate')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Verify no certificate')
            [CompletionResult]::new('--no-retry-ambiguous', '--no-retry-ambiguous', [CompletionResultType]::ParameterName, 'Do not send a request again that may have been worked on, and paid for, already')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print a line for each attempt')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print a line for each attempt')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'baton;bench' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Add a file to the prompt: text after a blank line; png, jpeg, gif, webp and PDF as attachments (repeatable)')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Add a file to the prompt: text after a blank line; png, jpeg, gif, webp and PDF as attachments (repeatable)')
            [CompletionResult]::new('--messages', '--messages', [CompletionResultType]::ParameterName, 'Begin with the conversation in this file, or on standard input for `-`: a JSON array of messages with role and content, or an object whose one field is such an array, "messages"; the prompt, if any, follows as the user''s')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Model to ask for')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'Model to ask for')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'System prompt, or @FILE to read it from a file')
            [CompletionResult]::new('--system', '--system', [CompletionResultType]::ParameterName, 'System prompt, or @FILE to read it from a file')
            [CompletionResult]::new('--max-tokens', '--max-tokens', [CompletionResultType]::ParameterName, 'Largest number of tokens to generate')
            [CompletionResult]::new('--temperature', '--temperature', [CompletionResultType]::ParameterName, 'Sampling temperature')
            [CompletionResult]::new('--param', '--param', [CompletionResultType]::ParameterName, 'Set any field of the body, which wins over every other flag (repeatable)')
            [CompletionResult]::new('--body', '--body', [CompletionResultType]::ParameterName, 'Send this file, or standard input for `-`, as the whole body; only `stream` is set in it')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Base address of the relay, with or without /v1, with or without a path prefix')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Base address of the relay, with or without /v1, with or without a path prefix')
            [CompletionResult]::new('--mock', '--mock', [CompletionResultType]::ParameterName, 'Start the embedded relay in this process and use it; SPEC as in `baton mock`')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Form of requests and answers [default: messages]')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'Form of requests and answers [default: messages]')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Add a header, written ''Name: value'', replacing the one that would be sent under that name (repeatable)')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'Add a header, written ''Name: value'', replacing the one that would be sent under that name (repeatable)')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'Read the key from a file')
            [CompletionResult]::new('--key-command', '--key-command', [CompletionResultType]::ParameterName, 'Take the key from what a shell command prints, as a password manager does')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Take what no flag and no variable says from this profile of the configuration file')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Users at once, level by level: a list (50,100,200), ranges (10..200:10, 1..8) or both')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Users at once, level by level: a list (50,100,200), ranges (10..200:10, 1..8) or both')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Measured window of each level [default: 10s]')
            [CompletionResult]::new('--duration', '--duration', [CompletionResultType]::ParameterName, 'Measured window of each level [default: 10s]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Requests of each level, in place of a window; k and m stand for thousands and millions')
            [CompletionResult]::new('--requests', '--requests', [CompletionResultType]::ParameterName, 'Requests of each level, in place of a window; k and m stand for thousands and millions')
            [CompletionResult]::new('--warmup', '--warmup', [CompletionResultType]::ParameterName, 'Time before each window in which requests are made and not recorded')
            [CompletionResult]::new('--drain', '--drain', [CompletionResultType]::ParameterName, 'How long requests in flight at the end of a window may take to finish and count')
            [CompletionResult]::new('--workers', '--workers', [CompletionResultType]::ParameterName, 'Threads that make the load [default: one a core]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the report')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write the report to a file')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write the report to a file')
            [CompletionResult]::new('--save', '--save', [CompletionResultType]::ParameterName, 'Keep the whole result, histograms included, as JSON')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit for name look-up, TCP and TLS together [default: 5s]')
            [CompletionResult]::new('--first-byte-timeout', '--first-byte-timeout', [CompletionResultType]::ParameterName, 'Limit for the first byte of the answer; 0 for none [default: 600s for whole answers, 30s otherwise]')
            [CompletionResult]::new('--first-token-timeout', '--first-token-timeout', [CompletionResultType]::ParameterName, 'Limit for the first generated delta of a stream; 0 for none [default: 600s]')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'Limit between any two bytes; 0 for none [default: 60s]')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Limit between two generated deltas of a stream (a ping does not count); 0 for none [default: 120s]')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit for the whole request, attempts and waits included [default: none]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Limit for the whole request, attempts and waits included [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust only the certificates in this PEM file')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Use this proxy for everything, in place of the environment''s')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Use this proxy for everything, in place of the environment''s')
            [CompletionResult]::new('--attempts', '--attempts', [CompletionResultType]::ParameterName, 'Attempts in all, the first one included')
            [CompletionResult]::new('--backoff-base', '--backoff-base', [CompletionResultType]::ParameterName, 'Multiplier of the exponential back-off [default: 1s]')
            [CompletionResult]::new('--backoff-max', '--backoff-max', [CompletionResultType]::ParameterName, 'Longest back-off [default: 10s]')
            [CompletionResult]::new('--max-wait', '--max-wait', [CompletionResultType]::ParameterName, 'Longest wait that the relay may ask for before the request is given up [default: 120s]')
            [CompletionResult]::new('--request-id-prefix', '--request-id-prefix', [CompletionResultType]::ParameterName, 'Put this before each request id')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How an error is printed on standard error')
            [CompletionResult]::new('--bare-prompt', '--bare-prompt', [CompletionResultType]::ParameterName, 'With --api complete: the body is just {"prompt": …}, and the answer comes whole')
            [CompletionResult]::new('--no-stream', '--no-stream', [CompletionResultType]::ParameterName, 'Ask for whole answers instead of streams')
            [CompletionResult]::new('--http1', '--http1', [CompletionResultType]::ParameterName, 'Speak HTTP/1.1 only')
            [CompletionResult]::new('--http2', '--http2', [CompletionResultType]::ParameterName, 'Speak HTTP/2 only, also without TLS')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Verify no certificate')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Verify no certificate')
            [CompletionResult]::new('--no-retry-ambiguous', '--no-retry-ambiguous', [CompletionResultType]::ParameterName, 'Do not send a request again that may have been worked on, and paid for, already')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print a line for each attempt')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print a line for each attempt')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'baton;mock' {
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Address to listen on; port 0 takes a free one')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Append the times of each request to this file, as JSON lines')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads to serve with [default: one a core]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How an error is printed on standard error')
            [CompletionResult]::new('--list-faults', '--list-faults', [CompletionResultType]::ParameterName, 'List the faults that a model''s name or SPEC can ask for, and exit')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'baton;models' {
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Base address of the relay, with or without /v1, with or without a path prefix')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Base address of the relay, with or without /v1, with or without a path prefix')
            [CompletionResult]::new('--mock', '--mock', [CompletionResultType]::ParameterName, 'Start the embedded relay in this process and use it; SPEC as in `baton mock`')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Form of requests and answers [default: messages]')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'Form of requests and answers [default: messages]')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Add a header, written ''Name: value'', replacing the one that would be sent under that name (repeatable)')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'Add a header, written ''Name: value'', replacing the one that would be sent under that name (repeatable)')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'Read the key from a file')
            [CompletionResult]::new('--key-command', '--key-command', [CompletionResultType]::ParameterName, 'Take the key from what a shell command prints, as a password manager does')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Take what no flag and no variable says from this profile of the configuration file')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the list: a table, or one JSON object')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit for name look-up, TCP and TLS together [default: 5s]')
            [CompletionResult]::new('--first-byte-timeout', '--first-byte-timeout', [CompletionResultType]::ParameterName, 'Limit for the first byte of the answer; 0 for none [default: 600s for whole answers, 30s otherwise]')
            [CompletionResult]::new('--first-token-timeout', '--first-token-timeout', [CompletionResultType]::ParameterName, 'Limit for the first generated delta of a stream; 0 for none [default: 600s]')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'Limit between any two bytes; 0 for none [default: 60s]')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Limit between two generated deltas of a stream (a ping does not count); 0 for none [default: 120s]')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit for the whole request, attempts and waits included [default: none]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Limit for the whole request, attempts and waits included [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust only the certificates in this PEM file')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Use this proxy for everything, in place of the environment''s')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Use this proxy for everything, in place of the environment''s')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How an error is printed on standard error')
            [CompletionResult]::new('--http1', '--http1', [CompletionResultType]::ParameterName, 'Speak HTTP/1.1 only')
            [CompletionResult]::new('--http2', '--http2', [CompletionResultType]::ParameterName, 'Speak HTTP/2 only, also without TLS')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Verify no certificate')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Verify no certificate')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'baton;completions' {
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How an error is printed on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'baton;man' {
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How an error is printed on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'baton;config' {
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How an error is printed on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print every setting with its value and what decided it, secrets hidden')
            [CompletionResult]::new('path', 'path', [CompletionResultType]::ParameterValue, 'Print the path of the configuration file that is read, or would be if it existed')
            break
        }
        'baton;config;show' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the list')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Take what no flag and no variable says from this profile of the configuration file')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file [default: ~/.config/baton/config.toml, if there is one]')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How an error is printed on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'baton;config;path' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Name the file, as for every other command')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How an error is printed on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Silence notices and progress')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
