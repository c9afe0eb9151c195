import type { Folder } from './folder.ts';

/** Holds a folder to its contract, in a browser or in Node; what it puts there it takes away again. */
export async function checkFolderContract(folder: Folder): Promise<void> {
  const text = async (path: string) => {
    const bytes = await folder.read(path);
    return bytes && new TextDecoder().decode(bytes);
  };
  const bytes = (content: string) => new TextEncoder().encode(content);
  const equal = (got: unknown, wanted: unknown) => {
    if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(`got ${JSON.stringify(got)} in place of ${JSON.stringify(wanted)}`);
  };

  equal(await folder.read('a/b.txt'), null);
  equal(await folder.list('a'), []);
  await folder.remove('a');
  await folder.write('a/b.txt', bytes('first, and long'));
  await folder.write('a/b.txt', bytes('second'));
  equal(await text('a/b.txt'), 'second');
  await folder.append('a/log', 'one\n');
  await folder.append('a/log', 'two\n');
  equal(await text('a/log'), 'one\ntwo\n');
  await folder.writeParts('a/c/d', [bytes('x'), bytes('yz')]);
  equal(await text('a/c/d'), 'xyz');

  // What is not written to its end leaves the file as it was.
  const failing = async function* () {
    yield bytes('half of ');
    throw new Error('the tab died');
  };
  const failed = await folder.writeParts('a/c/d', failing()).then(
    () => false,
    () => true,
  );
  equal([failed, await text('a/c/d')], [true, 'xyz']);

  await folder.write('ab', bytes('beside'));
  equal(await folder.list('a'), [
    { path: 'a/b.txt', bytes: 6 },
    { path: 'a/c/d', bytes: 3 },
    { path: 'a/log', bytes: 8 },
  ]);
  equal(await folder.list('a/log'), [{ path: 'a/log', bytes: 8 }]);
  equal(await folder.read('a'), null);
  for (const path of ['../out', '/out', 'a//b', 'a/../../out', '']) {
    const refused = await folder.write(path, bytes('')).then(
      () => false,
      () => true,
    );
    equal([path, refused], [path, true]);
  }
  await folder.remove('a/c');
  equal(await folder.read('a/c/d'), null);
  await folder.remove('a');
  equal(await folder.list(), [{ path: 'ab', bytes: 6 }]);
  await folder.remove('ab');
  equal(await folder.list(), []);
}
