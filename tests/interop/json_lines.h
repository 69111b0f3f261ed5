/* One flat JSON object of strings per line, both ways. */
#pragma once
#include <glib.h>
#include <stdio.h>
#include <string.h>

static void append_json_string(GString *line, const char *text) {
  g_string_append_c(line, '"');
  for (const char *at = text; *at; at++) {
    if (*at == '"' || *at == '\\')
      g_string_append_c(line, '\\');
    if ((unsigned char)*at < 0x20)
      g_string_append_printf(line, "\\u%04x", (unsigned)*at);
    else
      g_string_append_c(line, *at);
  }
  g_string_append_c(line, '"');
}

/* Writes an object of the given keys and values; NULL ends the list. */
static void write_object(const char *key, ...) {
  GString *line = g_string_new("{");
  va_list rest;
  va_start(rest, key);
  for (; key; key = va_arg(rest, const char *)) {
    if (line->len > 1)
      g_string_append_c(line, ',');
    append_json_string(line, key);
    g_string_append_c(line, ':');
    append_json_string(line, va_arg(rest, const char *));
  }
  va_end(rest);
  puts(g_string_append_c(line, '}')->str);
  fflush(stdout);
  g_string_free(line, TRUE);
}

/* Reads the string that begins after the quotation mark `*at` points to, and moves `*at` past it. NULL when it
 * does not end. */
static char *read_json_string(const char **at) {
  GString *text = g_string_new(NULL);
  const char *from = *at + 1;
  while (*from && *from != '"') {
    if (*from != '\\') {
      g_string_append_c(text, *from++);
      continue;
    }
    static const char escapes[] = "b\bf\fn\nr\rt\t";
    char kind = from[1];
    const char *escape = kind ? strchr(escapes, kind) : NULL;
    unsigned code = 0;
    if (kind == 'u' && sscanf(from + 2, "%4x", &code) == 1) {
      g_string_append_unichar(text, code);
      from += 6;
    } else if (kind) {
      g_string_append_c(text, escape && g_ascii_isalpha(kind) ? escape[1] : kind);
      from += 2;
    } else {
      from++;
    }
  }
  *at = *from ? from + 1 : from;
  return g_string_free(text, !*from);
}

/* The members of the object as a table, or NULL if the line is no flat object of strings. */
static GHashTable *read_object(const char *line) {
  GHashTable *members = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  const char *at = line + strspn(line, " {");
  while (*at == '"') {
    char *key = read_json_string(&at), *value = NULL;
    at += strspn(at, " :");
    if (key && *at == '"')
      value = read_json_string(&at);
    if (!value) {
      g_free(key);
      break;
    }
    g_hash_table_replace(members, key, value);
    at += strspn(at, " ,");
  }
  if (*at == '}' && line[0] == '{')
    return members;
  g_hash_table_unref(members);
  return NULL;
}
