/* Other people's addresses: pictures that a request points at, and webhooks. Only http and https; the address to which the
 * connection is made is looked at when it is made, so a name that resolves differently the second time gains nothing, and
 * neither does a redirect. */
#ifndef SORA_SERVE_FETCH_H
#define SORA_SERVE_FETCH_H

#include <sys/socket.h>
#include "base/error.h"

enum { FETCH_MOST = 64 << 20, FETCH_SECONDS = 30, FETCH_REDIRECTS = 3 };

/* Is it an address of the public internet? Not this machine, not a private network, no multicast, nothing reserved; IPv4 inside
 * of IPv6 counts as what it is. */
bool address_is_public(const struct sockaddr *address);

/* Into a new file. private: addresses that are not public are allowed. */
bool fetch_file(const char *url, const char *path, bool private, SoraError *err);

/* POSTs a body; *status: the answer's. headers: lines "name: value", ends with NULL. */
bool fetch_post(const char *url, const char *body, const char *const *headers, bool private, long *status, SoraError *err);

/* Is it http or https, with a host? */
bool fetch_check(const char *url, SoraError *err);

#endif
