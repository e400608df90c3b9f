#include "text/entities.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "text/tables.h"

enum { MAX_NAME = 32, MAX_UNAMBIGUOUS_NAME = 24, REPLACEMENT_CHARACTER = 0xfffd };

static int compare_name(const void *key, const void *entity)
{
    return strcmp(key, ((const HtmlEntity *)entity)->name);
}

/* The first length characters of name. */
static const HtmlEntity *find(const char *name, size_t length)
{
    char key[MAX_NAME + 1];
    memcpy(key, name, length);
    key[length] = 0;
    return bsearch(key, HTML_ENTITIES, (size_t)HTML_ENTITY_COUNT, sizeof *HTML_ENTITIES, compare_name);
}

/* The longest prefix of name that is an entity without ;, its length in *length. NULL: none. */
static const HtmlEntity *find_bare(const char *name, size_t *length)
{
    for (; *length >= 2; --*length) {
        const HtmlEntity *e = find(name, *length);
        if (e != NULL && e->bare)
            return e;
    }
    return NULL;
}

static void append_entity(Runes *out, const HtmlEntity *e)
{
    runes_append(out, (int32_t)e->first);
    if (e->second != 0)
        runes_append(out, e->second);
}

/* The character of a number, by the rules of HTML; -1 for those that vanish. */
static int32_t numbered(int32_t number)
{
    if (number == 0 || number > 0x10ffff || (number >= 0xd800 && number <= 0xdfff))
        return REPLACEMENT_CHARACTER;
    if (number >= 0x80 && number <= 0x9f)
        return CODE_PAGES[CODE_PAGE_WINDOWS_1252][number - 0x80];
    if (number == '\t' || number == '\n' || number == '\f' || number == '\r')
        return number;
    bool control = number < 0x20 || number == 0x7f;
    bool no_character = (number >= 0xfdd0 && number <= 0xfdef) || (number & 0xfffe) == 0xfffe;
    return control || no_character ? -1 : number;
}

static int digit(int32_t c, int base)
{
    int value = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : 99;
    return value < base ? value : -1;
}

/* Reads "#123" or "#x7b", without ;, at s. Returns how many characters it has, 0 if there is none. */
static size_t read_number(const int32_t *s, size_t n, int32_t *number)
{
    if (n == 0 || s[0] != '#')
        return 0;
    bool hex = n > 1 && (s[1] == 'x' || s[1] == 'X');
    int base = hex ? 16 : 10;
    size_t begin = hex ? 2 : 1, i = begin;
    *number = 0;
    for (; i < n && digit(s[i], base) >= 0; i++) {
        if (*number <= 0x10ffff) /* larger ones are all alike */
            *number = *number * base + digit(s[i], base);
    }
    return i > begin ? i : 0;
}

/* Characters of a name at s: at most MAX_NAME. What is not ASCII is kept in name as 0x7f, as no entity has that. */
static size_t read_name(const int32_t *s, size_t n, char name[MAX_NAME])
{
    size_t i = 0;
    for (; i < n && i < MAX_NAME && (s[i] >= 0x80 || strchr("\t\n\f <&#;", (int)s[i]) == NULL || s[i] == 0); i++)
        name[i] = s[i] > 0 && s[i] < 0x7f ? (char)s[i] : 0x7f;
    return i;
}

/* Decodes the reference at s, which follows an &. Returns how many characters it has, 0 if there is none. */
static size_t decode_reference(const int32_t *s, size_t n, Runes *out)
{
    int32_t number;
    size_t length = read_number(s, n, &number);
    if (length > 0) {
        if (numbered(number) >= 0)
            runes_append(out, numbered(number));
        return length + (length < n && s[length] == ';');
    }
    char name[MAX_NAME];
    length = read_name(s, n, name);
    if (length == 0)
        return 0;
    const HtmlEntity *e = length < n && s[length] == ';' ? find(name, length) : NULL;
    if (e != NULL) {
        length++;
    } else {
        size_t whole = length;
        e = find_bare(name, &length);
        if (e == NULL) {
            runes_append(out, '&');
            runes_append_all(out, s, whole);
            return whole;
        }
    }
    append_entity(out, e);
    return length;
}

/* Capital letters of a text in small letters. */
static void append_capitals(Runes *out, const HtmlEntity *e)
{
    static const struct {
        uint32_t small;
        const char *capitals;
    } LONGER[] = {{0xdf, "SS"},      {0x149, "\xca\xbcN"}, {0xfb00, "FF"}, {0xfb01, "FI"},
                  {0xfb02, "FL"}, {0xfb03, "FFI"},      {0xfb04, "FFL"}};
    for (size_t i = 0; i < sizeof LONGER / sizeof *LONGER; i++) {
        if (e->first == LONGER[i].small) {
            runes_append_utf8(out, LONGER[i].capitals, strlen(LONGER[i].capitals));
            return;
        }
    }
    runes_append(out, utf8proc_toupper((int32_t)e->first));
    if (e->second != 0)
        runes_append(out, utf8proc_toupper(e->second));
}

/* A name in capitals that HTML does not know, and that does not begin with one that it knows. */
static bool decode_capitals(const char *name, size_t length, Runes *out)
{
    char small[MAX_UNAMBIGUOUS_NAME];
    for (size_t i = 0; i < length; i++) {
        if (name[i] >= 'a' && name[i] <= 'z')
            return false;
        small[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    }
    const HtmlEntity *e = find(small, length);
    size_t prefix = length;
    if (e == NULL || find_bare(name, &prefix) != NULL)
        return false;
    append_capitals(out, e);
    return true;
}

static bool is_alphanumeric(int32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* As decode_reference; also 0 for references that stay. */
static size_t decode_unambiguous(const int32_t *s, size_t n, Runes *out)
{
    bool is_number = n > 0 && s[0] == '#';
    char name[MAX_UNAMBIGUOUS_NAME];
    size_t begin = is_number ? 1 : 0, end = begin;
    for (; end < n && end - begin < MAX_UNAMBIGUOUS_NAME && is_alphanumeric(s[end]); end++)
        name[end - begin] = (char)s[end];
    size_t length = end - begin;
    if (length == 0 || end == n || s[end] != ';')
        return 0;
    if (is_number) {
        int32_t number;
        if (read_number(s, n, &number) != end || number == ';')
            return 0;
        if (numbered(number) >= 0)
            runes_append(out, numbered(number));
        return end + 1;
    }
    const HtmlEntity *e = find(name, length);
    if (e != NULL)
        append_entity(out, e);
    else if (!decode_capitals(name, length, out))
        return 0;
    return end + 1;
}

static void decode_all(const Runes *in, Runes *out, size_t (*decode)(const int32_t *s, size_t n, Runes *out))
{
    for (size_t i = 0; i < in->count;) {
        size_t used = in->at[i] == '&' ? decode(in->at + i + 1, in->count - i - 1, out) : 0;
        if (used == 0)
            runes_append(out, in->at[i]);
        i += 1 + used;
    }
    out->failed = out->failed || in->failed;
}

void entities_decode(const Runes *in, Runes *out)
{
    decode_all(in, out, decode_reference);
}

void entities_decode_unambiguous(const Runes *in, Runes *out)
{
    decode_all(in, out, decode_unambiguous);
}
