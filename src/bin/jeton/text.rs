//! What the companion says without a daemon. Plain words, 80 columns.

/// `jeton version`.
pub(crate) const VERSION: &str = concat!("jeton ", env!("CARGO_PKG_VERSION"), "\n");

/// How `exec` is called.
pub(crate) const EXEC_USAGE: &str =
    "usage: jeton exec [--env NAME] [PROFILE] -- COMMAND [ARGUMENT]...";

/// `jeton help`, on standard output when asked for and on standard error when no verb was given.
pub(crate) const HELP: &str = "\
jeton - asks jetond for a token

usage: jeton VERB [PROFILE] [OPTION]...

  token [PROFILE]     print the token
  header [PROFILE]    print the token as an HTTP header
  status [PROFILE]    show the state of the profiles; --json for programs
  ready [PROFILE]     succeed when a token can be served; --wait S waits for it
  refresh [PROFILE]   get a new token now
  reject [PROFILE]    the token on standard input was rejected: print the next
  watch [PROFILE]     print each new token and state as a line of JSON
  reload              let the daemon read its configuration again
  exec [--env NAME] [PROFILE] -- COMMAND...
                      run COMMAND with JETON_SOCKET and JETON_PROFILE set, and
                      with the token in the variable NAME if --env is given
  version             print the version of this program
  help                print this text

Other verbs go to the daemon as they are; it says which ones it knows.

options, before or after the verb:
  --socket PATH         the daemon's socket, instead of the usual places
  --admin-socket PATH   the socket for what changes things, as reload does
  --timeout S           seconds to wait for the answer (30; none for watch)

environment:
  JETON_SOCKET         as --socket
  JETON_ADMIN_SOCKET   where the admin socket is, for the verbs that need it
  JETON_PROFILE        the profile when none is named

the usual places of the socket, in this order:
  $XDG_RUNTIME_DIR/jeton/jeton.sock
  /run/user/UID/jeton/jeton.sock
  /run/jeton/jeton.sock
  on macOS only ~/Library/Application Support/jeton/jeton.sock

exit codes:
   0  done
   1  no token, or the provider rejected the credential
  64  wrong usage
  69  the daemon cannot be reached
  75  not now, try again later
  77  refused: you may not do this
  78  the configuration does not allow it
exec ends as COMMAND does, or with 126 (cannot be run) or 127 (not found).
";
