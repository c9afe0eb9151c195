/**
 * The folder tree is the architecture: app → engine → nvlm → ops → device, with weights, text and tiling below engine and
 * nvlm. Checked by the test command.
 */
const room = (name) => `^src/${name}/`;
const rooms = (...names) => `^src/(${names.join('|')})/`;

/** What every room may use: errors, half precision and seeded random numbers. */
const everyRoom = ['^src/errors\\.ts$', '^src/numbers/'];

/** Rooms that must run anywhere and know neither the compute library nor the page. */
const plainRooms = ['files', 'weights', 'text', 'tiling', 'desk'];

/** Lists of plain data that the page offers choices from, limits and words, and nothing else. */
const pureLists = ['^src/tiling/(tags|tile-limits)\\.ts$', '^src/text/image-placeholder\\.ts$', '^src/nvlm/lora-targets\\.ts$'];

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    {
      name: 'no-orphans',
      severity: 'error',
      comment: 'A file that nothing imports is dead, unless it is where something starts.',
      from: {
        orphan: true,
        pathNot: ['\\.test\\.ts$', '\\.spec\\.ts$', '\\.d\\.ts$', '^build/(register-)?service-worker\\.ts$', '^build/tfjs\\.ts$', '^build/start\\.ts$', '^src/app/main\\.tsx$'],
      },
      to: {},
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'declared',
      severity: 'error',
      comment: 'What is imported must be in package.json.',
      from: { path: '^(src|workers|build)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'product-needs-dependencies-only',
      severity: 'error',
      from: { path: '^(src|workers)/', pathNot: '\\.test\\.tsx?$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },

    { name: 'nothing-imports-app', severity: 'error', from: { path: '^(src|workers|bench)/', pathNot: room('app') }, to: { path: room('app') } },
    {
      name: 'app-computes-in-the-worker',
      severity: 'error',
      comment:
        'The page knows the engine and the data it speaks of as types only, for they live in workers, which it reaches over ' +
        'the bridge with their lists of methods. It runs itself: the errors, the JSON form of an inspection, the sums of attention, the scores of answers and the addresses of models, which it shares with the command line, what a first visit asks for before the engine is there, and ' +
        'ZIP files, which it shares with the datasets.',
      from: { path: room('app'), pathNot: '\\.test\\.tsx?$' },
      to: {
        path: '^(src|workers)/',
        pathNot: [rooms('app', 'bridge'), ...everyRoom, '^src/engine/(api|inside/key-runs|inside/regions|inspect/inspection-json|measure/answer-scores|models/(model-address|fit-together|first-requests))\\.ts$', ...pureLists, '^src/device/computes-packed\\.ts$', '^src/files/(read|write)-zip\\.ts$', '^workers/(data|pictures)-api\\.ts$'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'app-speaks-to-the-engine-alone',
      severity: 'error',
      comment: 'Even as types, nothing below the engine but the data types of its own interface.',
      from: { path: room('app'), pathNot: '\\.test\\.tsx?$' },
      to: { path: '^src/', pathNot: [rooms('app', 'bridge', 'engine', 'desk'), '^src/(text|tiling|datasets)/types\\.ts$', ...pureLists, '^src/device/computes-packed\\.ts$', '^src/files/(read|write)-zip\\.ts$', ...everyRoom] },
    },
    {
      name: 'plain-rooms-stand-alone',
      severity: 'error',
      comment: 'weights, text, tiling and desk know nothing of each other or of any other room but the folders below them.',
      from: { path: `^src/(${plainRooms.join('|')})/`, pathNot: '\\.test\\.ts$' },
      to: { path: '^(src|workers)/', pathNot: ['^src/$1/', '^src/files/', ...everyRoom] },
    },
    {
      name: 'datasets-above-files',
      severity: 'error',
      from: { path: room('datasets'), pathNot: '\\.test\\.ts$' },
      to: { path: '^(src|workers)/', pathNot: [rooms('datasets', 'files', 'text', 'tiling', 'desk'), ...everyRoom] },
    },
    {
      name: 'plain-rooms-without-frameworks',
      severity: 'error',
      from: { path: rooms(...plainRooms, 'datasets') },
      to: { path: 'node_modules/(@tensorflow|react|react-dom|zustand|comlink)/' },
    },
    { name: 'numbers-stand-alone', severity: 'error', from: { path: room('numbers'), pathNot: '\\.test\\.ts$' }, to: { path: '.', pathNot: room('numbers') } },
    { name: 'bridge-stands-alone', severity: 'error', comment: 'It carries calls and knows none of them.', from: { path: room('bridge') }, to: { path: '^(src|workers)/', pathNot: [room('bridge'), ...everyRoom] } },
    { name: 'device-is-the-bottom', severity: 'error', from: { path: room('device'), pathNot: '\\.test\\.ts$' }, to: { path: '^src/', pathNot: [room('device'), ...everyRoom] } },
    { name: 'ops-above-device', severity: 'error', from: { path: room('ops'), pathNot: '\\.test\\.ts$' }, to: { path: '^src/', pathNot: [rooms('ops', 'device'), ...everyRoom] } },
    {
      name: 'models-above-ops',
      severity: 'error',
      from: { path: rooms('nvlm', 'training'), pathNot: '\\.test\\.ts$' },
      to: { path: '^(src|workers)/', pathNot: [rooms('nvlm', 'training', 'ops', 'device', ...plainRooms), ...everyRoom] },
    },
    {
      name: 'families-by-their-list',
      severity: 'error',
      comment: 'What differs between model families stands in their folders; everybody else reads the list of descriptions.',
      from: { pathNot: ['^src/nvlm/families/', '\\.test\\.ts$'] },
      to: { path: '^src/nvlm/families/[^/]+/' },
    },
    {
      name: 'families-apart',
      severity: 'error',
      comment: 'A family does not lean on another: what they share lies outside their folders.',
      from: { path: '^src/nvlm/families/([^/]+)/' },
      to: { path: '^src/nvlm/families/[^/]+/', pathNot: '^src/nvlm/families/$1/' },
    },
    { name: 'engine-below-its-shells', severity: 'error', from: { path: room('engine'), pathNot: '\\.test\\.ts$' }, to: { path: ['^workers/', rooms('app', 'headless')] } },
    {
      name: 'shells-are-thin',
      severity: 'error',
      comment: 'The command line and the worker hold the engine; they do not reach past it into the model.',
      from: { path: ['^src/headless/', '^workers/'], pathNot: '\\.test\\.ts$' },
      to: { path: '^src/', pathNot: [rooms('headless', 'bridge', 'engine', 'datasets', 'device', ...plainRooms), ...everyRoom] },
    },
    {
      name: 'node-only-where-node-is',
      severity: 'error',
      from: { path: '^(src|workers)/', pathNot: ['^src/headless/', '/node[-.]', '-node\\.ts$', '\\.test\\.tsx?$'] },
      to: { dependencyTypes: ['core'] },
    },
    { name: 'react-stays-in-the-page', severity: 'error', from: { path: '^(src|workers)/', pathNot: room('app') }, to: { path: 'node_modules/(react|react-dom|zustand)/' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // make-glyphs is run by hand, with a package of its own, when a font is added.
    exclude: { path: ['^tests/fixtures/', '^dist/', '/\\.cache/', '^src/desk/fonts/make-glyphs\\.mjs$'] },
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], extensions: ['.ts', '.tsx', '.js', '.json'], conditionNames: ['import', 'node', 'types', 'default'] },
  },
};
