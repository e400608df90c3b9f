/* Lines of JSON on stderr. */
#ifndef SORA_SERVE_LOG_H
#define SORA_SERVE_LOG_H

#include <jansson.h>
#include <stdbool.h>

enum { LOG_ALL, LOG_ERRORS, LOG_NOTHING };

void log_begin(int what);
bool log_wants_requests(void);

/* fields: an object whose members join time, level and message; taken over; NULL: none. level: "info", "warning", "error". */
void log_line(const char *level, const char *message, json_t *fields);

#endif
