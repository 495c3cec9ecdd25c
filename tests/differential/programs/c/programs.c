/* Freestanding C: run() does one of a few jobs of size n and returns a checksum. */
typedef unsigned int u32;
typedef long long i64;
typedef unsigned char u8;

static u32 list[65536];
static u8 cells[65536];

static u32 next(u32 s) { return s * 1664525u + 1013904223u; }

static void quicksort(u32 *a, int lo, int hi) {
  while (lo < hi) {
    u32 pivot = a[(lo + hi) >> 1];
    int i = lo, j = hi;
    while (i <= j) {
      while (a[i] < pivot) i++;
      while (a[j] > pivot) j--;
      if (i <= j) { u32 t = a[i]; a[i] = a[j]; a[j] = t; i++; j--; }
    }
    quicksort(a, lo, j);
    lo = i;
  }
}

/* A machine with four registers; a switch in a loop is what interpreters are made of. */
static i64 interpret(int n) {
  static const u8 code[] = {0, 1, 2, 3, 1, 4, 2, 5, 6, 1, 0, 7};
  i64 r[4] = {1, 2, 3, n};
  for (u32 pc = 0, steps = 0; steps < (u32)n * 50; steps++, pc = (pc + 1) % sizeof code) {
    switch (code[pc]) {
      case 0: r[0] += r[1]; break;
      case 1: r[1] ^= r[0] << 3; break;
      case 2: r[2] = r[2] * 6364136223846793005LL + 1; break;
      case 3: r[3] = r[0] % (r[1] | 1); break;
      case 4: r[0] = (i64)((unsigned long long)r[0] >> 5) ^ r[2]; break;
      case 5: if (r[3] & 1) pc = (u32)(r[2] & 7); break;
      case 6: r[1] -= r[3]; break;
      default: r[3] = ~r[3]; break;
    }
  }
  return r[0] ^ r[1] ^ r[2] ^ r[3];
}

static i64 floats(int n) {
  float f = 1.5f; double d = 0.3; i64 sum = 0;
  for (int i = 1; i < n * 20; i++) {
    f = f * 1.0001f + (float)i / 3.0f; d = __builtin_sqrt(d * i + 2.0);
    if (f > 1e6f) f = -f / 7.0f;
    sum = sum * 3 + (i64)(d * 1000.0) + (i64)f;
  }
  return sum;
}

__attribute__((export_name("run"))) i64 run(int kind, int n) {
  i64 sum = 0;
  u32 s = 1;
  switch (kind) {
    case 0:
      for (int i = 0; i < n * 20; i++) s = next(s ^ (u32)sum), sum = (sum << 5) + (sum >> 2) + s;
      return sum;
    case 1:
      for (int i = 0; i < n; i++) list[i & 65535] = s = next(s);
      quicksort(list, 0, (n < 65536 ? n : 65536) - 1);
      for (int i = 0; i < n; i++) sum = sum * 31 + list[i & 65535];
      return sum;
    case 2:
      __builtin_memset(cells, 1, sizeof cells);
      for (int i = 2; i < 65536; i++)
        if (cells[i]) for (int j = i * 2; j < 65536; j += i) cells[j] = 0;
      __builtin_memmove(cells + 7, cells, 60000);
      for (int i = 2; i < 65536; i++) sum = sum * 2 + cells[i];
      return sum;
    case 3: return interpret(n);
    default: return floats(n);
  }
}
