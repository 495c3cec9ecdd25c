/* The four programs of compute.ts in C, for a compiler that optimises otherwise. */
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))

static uint32_t k[64];
static uint8_t text[64 * 1024];

static uint32_t rotate(uint32_t value, int by) { return value >> by | value << (32 - by); }

/* The fractional parts of the cube roots of the first 64 primes (FIPS 180-4). */
static void fill_k(void) {
  int found = 0;
  for (uint32_t n = 2; found < 64; n++) {
    int prime = 1;
    for (uint32_t d = 2; d * d <= n; d++)
      if (n % d == 0) prime = 0;
    if (!prime) continue;
    double root = 1 + n / 20.0;
    for (int step = 0; step < 60; step++) root -= (root * root * root - n) / (3 * root * root);
    k[found++] = (uint32_t)((root - (int)root) * 4294967296.0);
  }
}

EXPORT("sha256") uint32_t sha256(int rounds) {
  if (k[0] == 0) fill_k();
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (int round = 0; round < rounds; round++) {
    for (const uint8_t *block = text; block < text + sizeof text; block += 64) {
      uint32_t w[64];
      for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[i * 4] << 24 | block[i * 4 + 1] << 16 | block[i * 4 + 2] << 8 |
               block[i * 4 + 3];
      for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[i - 7] +
               (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
      }
      uint32_t s[8];
      for (int i = 0; i < 8; i++) s[i] = state[i];
      for (int i = 0; i < 64; i++) {
        uint32_t e = s[4], a = s[0];
        uint32_t t1 = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                      ((e & s[5]) ^ (~e & s[6])) + k[i] + w[i];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        for (int j = 7; j > 0; j--) s[j] = s[j - 1];
        s[4] += t1;
        s[0] = t1 + t2;
      }
      for (int i = 0; i < 8; i++) state[i] += s[i];
    }
  }
  uint32_t all = 0;
  for (int i = 0; i < 8; i++) all ^= state[i];
  return all;
}

static int32_t numbers[1 << 14];
#define COUNT (int)(sizeof numbers / sizeof numbers[0])

static void sort(int low, int high) {
  while (low < high) {
    int32_t pivot = numbers[(low + high) / 2];
    int i = low, j = high;
    while (i <= j) {
      while (numbers[i] < pivot) i++;
      while (numbers[j] > pivot) j--;
      if (i > j) break;
      int32_t kept = numbers[i];
      numbers[i++] = numbers[j];
      numbers[j--] = kept;
    }
    sort(low, j);
    low = i;
  }
}

EXPORT("quicksort") uint32_t quicksort(int rounds) {
  uint32_t seed = 1, sum = 0;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < COUNT; i++) {
      seed = seed * 1664525 + 1013904223;
      numbers[i] = (int32_t)(seed >> 1);
    }
    sort(0, COUNT - 1);
    sum = sum * 31 + (uint32_t)numbers[COUNT / 2];
  }
  return sum;
}

static int at, end;

static void put(const char *more) {
  while (*more) text[end++] = (uint8_t)*more++;
}

static void put_number(int n) {
  if (n > 9) put_number(n / 10);
  text[end++] = (uint8_t)('0' + n % 10);
}

static void fill_json(void) {
  end = 0;
  put("[");
  for (int i = 0; i < 400; i++) {
    if (i > 0) put(",");
    put("{\"id\":");
    put_number(i);
    put(",\"name\":\"user ");
    put_number(i);
    put("\",\"tags\":[\"a\",\"b\\n\",true,null],\"score\":-12.5e1}");
  }
  put("]");
}

static void space(void) {
  while (at < end && (text[at] == ' ' || text[at] == '\n')) at++;
}

static uint32_t string(void) {
  if (text[at++] != '"') return 1000000;
  while (text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  at++;
  return 1;
}

/* The number of values in the one at `at`; what is not JSON counts as 1000000. */
static uint32_t value(void) {
  space();
  uint8_t first = text[at];
  if (first == '{' || first == '[') {
    uint8_t close = first == '{' ? '}' : ']';
    uint32_t count = 1;
    at++;
    space();
    while (text[at] != close) {
      if (first == '{') {
        count += string();
        space();
        if (text[at++] != ':') return 1000000;
      }
      count += value();
      space();
      if (text[at] == ',') at++;
      else if (text[at] != close) return 1000000;
      space();
    }
    at++;
    return count;
  }
  if (first == '"') return string();
  if (first == '-' || (first >= '0' && first <= '9')) {
    do at++;
    while ((text[at] >= '0' && text[at] <= '9') || text[at] == '.' || text[at] == 'e' ||
           text[at] == '-');
    return 1;
  }
  while (text[at] >= 'a' && text[at] <= 'z') at++;
  return 1;
}

EXPORT("json") uint32_t json(int rounds) {
  fill_json();
  uint32_t count = 0;
  for (int round = 0; round < rounds; round++) {
    at = 0;
    count += value();
  }
  for (int i = 0; i < end; i++) text[i] = 0;
  return count;
}

/* A stack machine: pushes, adds, multiplies, jumps; 0 ends. */
static int32_t execute(const uint8_t *code, int32_t counter) {
  int32_t stack[64], sum = 0;
  int pc = 0, top = 0;
  for (;;) {
    switch (code[pc++]) {
      case 0: return sum;
      case 1: stack[top++] = code[pc++]; break;
      case 2: top--; stack[top - 1] += stack[top]; break;
      case 3: top--; stack[top - 1] *= stack[top]; break;
      case 4: stack[top++] = counter; break;
      case 5: sum = sum * 31 + stack[--top]; break;
      case 6: pc = --counter > 0 ? code[pc] : pc + 1; break;
      case 7: stack[top - 1] ^= code[pc++]; break;
      default: return -1;
    }
  }
}

EXPORT("interpreter") uint32_t interpreter(int rounds) {
  static const uint8_t program[] = {4, 1, 3, 3, 7, 85, 1, 9, 2, 5, 6, 0, 0};
  uint32_t sum = 0;
  for (int round = 0; round < rounds; round++)
    sum = sum * 31 + (uint32_t)execute(program, 20000);
  return sum;
}
