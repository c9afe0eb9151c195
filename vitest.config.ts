import { defineConfig } from 'vitest/config';
import { vulkanEnvironment } from './tests/support/software-vulkan.ts';

export default defineConfig(async () => ({
  test: {
    include: ['{src,workers,tests,bench,build}/**/*.test.{ts,tsx}'],
    allowOnly: false,
    // Workers must be processes: the dynamic linker reads the path of the Vulkan driver only when a process starts.
    pool: 'forks' as const,
    env: await vulkanEnvironment(),
    // Two software devices at once starve each other on a small machine.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
}));
