/* Tables about characters that tables.py writes. */
#ifndef SORA_TEXT_TABLES_H
#define SORA_TEXT_TABLES_H

#include <stdint.h>

/* A named character reference of HTML 5, such as &eacute; */
typedef struct HtmlEntity {
    const char *name; /* without & and ; */
    uint32_t first;   /* character */
    uint16_t second;  /* a second character, or 0 */
    uint8_t bare;     /* 1: browsers know it without ; too */
} HtmlEntity;

extern const HtmlEntity HTML_ENTITIES[]; /* sorted by name */
extern const int HTML_ENTITY_COUNT;

/* Characters of bytes 0x80 to 0xff. A byte that the encoding leaves open stands for the character of
 * its own number. Latin-1 needs no table. */
enum {
    CODE_PAGE_WINDOWS_1252,
    CODE_PAGE_WINDOWS_1251,
    CODE_PAGE_WINDOWS_1250,
    CODE_PAGE_WINDOWS_1253,
    CODE_PAGE_WINDOWS_1254,
    CODE_PAGE_WINDOWS_1257,
    CODE_PAGE_ISO_8859_2,
    CODE_PAGE_MAC_ROMAN,
    CODE_PAGE_437,
    CODE_PAGE_COUNT,
};
extern const uint16_t CODE_PAGES[CODE_PAGE_COUNT][128];

#endif
