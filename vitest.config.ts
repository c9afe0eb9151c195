import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { vulkanEnvironment } from './tests/support/software-vulkan.ts';

/** Short files of long tests first: begun last, they would leave one of two workers idle. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => Number(moduleId.includes('/tests/goldens/'));
    return (await super.sort(files)).sort((a, b) => isLong(b) - isLong(a));
  }
}

export default defineConfig(async () => ({
  test: {
    include: ['{src,workers,tests,bench,build}/**/*.test.{ts,tsx}'],
    allowOnly: false,
    sequence: { sequencer: LongestFirst },
    // Workers must be processes: the dynamic linker reads the path of the Vulkan driver only when a process starts.
    pool: 'forks' as const,
    env: await vulkanEnvironment(),
    // Two software devices at once starve each other on a small machine.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
}));
