/* A libnice agent that speaks the JSON lines of `floe agent`.
 *
 *   nice_agent --controlling|--controlled [--bind IP] [--regular-nomination]
 *              [--turn turn:IP:PORT?transport=udp|tcp --username U --password P --relay-only] */
#include <agent.h>
#include <gio/gio.h>

#include "json_lines.h"

static NiceAgent *agent;
static guint stream;
static GMainLoop *loop;

/* libnice prints attributes; the protocol has the bare candidate. */
static char *candidate_line(NiceCandidate *candidate) {
  char *attribute = nice_agent_generate_local_candidate_sdp(agent, candidate);
  char *line = g_strdup(attribute + strlen("a="));
  g_free(attribute);
  return line;
}

static void on_candidate(NiceAgent *from, NiceCandidate *candidate, gpointer data) {
  char *line = candidate_line(candidate);
  write_object("type", "candidate", "candidate", line, NULL);
  g_free(line);
}

static void on_gathering_done(NiceAgent *from, guint of, gpointer data) {
  write_object("type", "end-of-candidates", NULL);
}

static void on_selected_pair(NiceAgent *from, guint of, guint component, NiceCandidate *local,
                             NiceCandidate *remote, gpointer data) {
  char *local_line = candidate_line(local), *remote_line = candidate_line(remote);
  write_object("type", "selected-pair", "local", local_line, "remote", remote_line, NULL);
  g_free(local_line);
  g_free(remote_line);
}

static void on_state(NiceAgent *from, guint of, guint component, guint state, gpointer data) {
  static const char *const names[NICE_COMPONENT_STATE_LAST] = {
      [NICE_COMPONENT_STATE_DISCONNECTED] = "disconnected",
      [NICE_COMPONENT_STATE_GATHERING] = "gathering",
      [NICE_COMPONENT_STATE_CONNECTING] = "checking",
      [NICE_COMPONENT_STATE_CONNECTED] = "connected",
      [NICE_COMPONENT_STATE_READY] = "completed",
      [NICE_COMPONENT_STATE_FAILED] = "failed",
  };
  if (state < NICE_COMPONENT_STATE_LAST)
    write_object("type", "state", "state", names[state], NULL);
}

static void on_data(NiceAgent *from, guint of, guint component, guint length, gchar *bytes, gpointer data) {
  char *text = g_utf8_make_valid(bytes, length);
  write_object("type", "data", "data", text, NULL);
  g_free(text);
}

static gboolean add_remote_candidate(const char *line) {
  char *attribute = g_strconcat("a=", line, NULL);
  NiceCandidate *candidate = nice_agent_parse_remote_candidate_sdp(agent, stream, attribute);
  int added = 0;
  if (candidate) {
    GSList *list = g_slist_append(NULL, candidate);
    added = nice_agent_set_remote_candidates(agent, stream, candidate->component_id, list);
    g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
  }
  g_free(attribute);
  return added == 1;
}

/* Whether the command was understood and carried out. */
static gboolean obey(GHashTable *command) {
  const char *type = g_hash_table_lookup(command, "type");
  if (g_strcmp0(type, "remote-credentials") == 0)
    return nice_agent_set_remote_credentials(agent, stream, g_hash_table_lookup(command, "ufrag"),
                                             g_hash_table_lookup(command, "pwd"));
  if (g_strcmp0(type, "remote-candidate") == 0)
    return add_remote_candidate(g_hash_table_lookup(command, "candidate"));
  if (g_strcmp0(type, "remote-end-of-candidates") == 0)
    return nice_agent_peer_candidate_gathering_done(agent, stream);
  if (g_strcmp0(type, "send") == 0) {
    const char *data = g_hash_table_lookup(command, "data");
    return data && nice_agent_send(agent, stream, 1, strlen(data), data) == (int)strlen(data);
  }
  if (g_strcmp0(type, "close") == 0) {
    g_main_loop_quit(loop);
    return TRUE;
  }
  return FALSE;
}

static gboolean on_input(GIOChannel *input, GIOCondition condition, gpointer data) {
  gchar *line = NULL;
  GIOStatus status = G_IO_STATUS_NORMAL;
  /* Lines that are already buffered wake nobody: read until there are none. */
  while ((status = g_io_channel_read_line(input, &line, NULL, NULL, NULL)) == G_IO_STATUS_NORMAL) {
    GHashTable *command = read_object(g_strchomp(line));
    if (!command || !obey(command)) {
      fprintf(stderr, "not done: %s\n", line);
      write_object("type", "error", "message", line, NULL);
    }
    if (command)
      g_hash_table_unref(command);
    g_free(line);
  }
  if (status == G_IO_STATUS_AGAIN)
    return G_SOURCE_CONTINUE;
  g_main_loop_quit(loop);
  return G_SOURCE_REMOVE;
}

static void watch_input(void) {
  GIOChannel *input = g_io_channel_unix_new(0);
  g_io_channel_set_encoding(input, NULL, NULL);
  g_io_channel_set_flags(input, G_IO_FLAG_NONBLOCK, NULL);
  g_io_add_watch(input, G_IO_IN | G_IO_HUP | G_IO_ERR, on_input, NULL);
  g_io_channel_unref(input);
}

static void connect_signals(void) {
  g_signal_connect(agent, "new-candidate-full", G_CALLBACK(on_candidate), NULL);
  g_signal_connect(agent, "candidate-gathering-done", G_CALLBACK(on_gathering_done), NULL);
  g_signal_connect(agent, "component-state-changed", G_CALLBACK(on_state), NULL);
  g_signal_connect(agent, "new-selected-pair-full", G_CALLBACK(on_selected_pair), NULL);
}

/* A TURN server, and who we are to it. */
struct relay {
  const char *uri, *username, *password;
  gboolean only;
};

/* Whether there is none, or it is known now. */
static gboolean use_relay(const struct relay *relay) {
  if (!relay->uri)
    return TRUE;
  char ip[64], transport[4];
  guint port;
  if (sscanf(relay->uri, "turn:%63[0-9.]:%u?transport=%3s", ip, &port, transport) != 3)
    return FALSE;
  NiceRelayType type = strcmp(transport, "tcp") == 0 ? NICE_RELAY_TYPE_TURN_TCP : NICE_RELAY_TYPE_TURN_UDP;
  g_object_set(agent, "force-relay", relay->only, NULL);
  return nice_agent_set_relay_info(agent, stream, 1, ip, port, relay->username, relay->password, type);
}

static int start(gboolean controlling, gboolean regular, const char *bind, const struct relay *relay) {
  NiceAgentOption options = NICE_AGENT_OPTION_ICE_TRICKLE;
  if (regular)
    options |= NICE_AGENT_OPTION_REGULAR_NOMINATION;
  agent = nice_agent_new_full(NULL, NICE_COMPATIBILITY_RFC5245, options);
  g_object_set(agent, "controlling-mode", controlling, "upnp", FALSE, "ice-tcp", FALSE, NULL);
  NiceAddress address;
  nice_address_init(&address);
  if (!nice_address_set_from_string(&address, bind) || !nice_agent_add_local_address(agent, &address)) {
    fprintf(stderr, "not an address: %s\n", bind);
    return 2;
  }
  connect_signals();
  stream = nice_agent_add_stream(agent, 1);
  nice_agent_attach_recv(agent, stream, 1, NULL, on_data, NULL);
  if (!use_relay(relay)) {
    fprintf(stderr, "not a TURN server: %s\n", relay->uri);
    return 2;
  }
  gchar *ufrag = NULL, *password = NULL;
  nice_agent_get_local_credentials(agent, stream, &ufrag, &password);
  write_object("type", "credentials", "ufrag", ufrag, "pwd", password, NULL);
  g_free(ufrag);
  g_free(password);
  if (nice_agent_gather_candidates(agent, stream))
    return 0;
  fprintf(stderr, "gathering failed\n");
  return 1;
}

int main(int argc, char **argv) {
  gboolean controlling = FALSE, controlled = FALSE, regular = FALSE;
  const char *bind = "127.0.0.1";
  struct relay relay = {0};
  GOptionEntry options[] = {
      {"controlling", 0, 0, G_OPTION_ARG_NONE, &controlling, "begin in the controlling role", NULL},
      {"controlled", 0, 0, G_OPTION_ARG_NONE, &controlled, "begin in the controlled role", NULL},
      {"regular-nomination", 0, 0, G_OPTION_ARG_NONE, &regular, "nominate one valid pair", NULL},
      {"bind", 0, 0, G_OPTION_ARG_STRING, &bind, "the only local address", "IP"},
      {"turn", 0, 0, G_OPTION_ARG_STRING, &relay.uri, "a TURN server", "URI"},
      {"username", 0, 0, G_OPTION_ARG_STRING, &relay.username, "the user's name there", "U"},
      {"password", 0, 0, G_OPTION_ARG_STRING, &relay.password, "the user's password there", "P"},
      {"relay-only", 0, 0, G_OPTION_ARG_NONE, &relay.only, "use relayed candidates only", NULL},
      {NULL},
  };
  GError *error = NULL;
  GOptionContext *context = g_option_context_new(NULL);
  g_option_context_add_main_entries(context, options, NULL);
  if (!g_option_context_parse(context, &argc, &argv, &error) || controlling == controlled) {
    fprintf(stderr, "%s\n", error ? error->message : "give one of --controlling and --controlled");
    return 2;
  }
  g_option_context_free(context);
  loop = g_main_loop_new(NULL, FALSE);
  int failure = start(controlling, regular, bind, &relay);
  if (failure)
    return failure;
  watch_input();
  g_main_loop_run(loop);
  nice_agent_remove_stream(agent, stream);
  write_object("type", "state", "state", "closed", NULL);
  return 0;
}
