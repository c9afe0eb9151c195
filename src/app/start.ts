import type { BackendChoice } from '../engine/api.ts';
import { exampleOffer, FIRST_EXAMPLE } from './chat/examples.ts';
import type { Pictures } from './pictures-client.ts';
import { currentRoute, setParams, subscribeRoute, type RouteParams } from './router.ts';
import type { AppStore } from './state/app-store.ts';
import type { AppState } from './state/app-state.ts';
import { formatAdapters, parseAdapters } from './state/adapter-slice.ts';
import { DEFAULT_MODEL } from './state/model-slice.ts';

const BACKENDS: readonly BackendChoice[] = ['auto', 'webgpu', 'wasm', 'cpu'];

/** Opens the device, the model and the picture that the address names, and keeps address and state the same. */
export function startApp(store: AppStore, pictures: Pictures): void {
  const { params } = currentRoute();
  // The site is kept for offline use once the model is there, or will not be.
  void openFirst(store, params).finally(() => window.dispatchEvent(new Event('first-model')));
  const showExample = (id: string) => void offerExample(store, pictures, id);
  showExample(params.picture ?? FIRST_EXAMPLE);
  subscribeRoute((fresh) => {
    if (fresh) followAddress(store, currentRoute().params, showExample);
    // Going back leads to another screen, not to the model or the picture of that time.
    setParams(addressOf(store.getState()));
  });
  store.subscribe((state) => setParams(addressOf(state)));
  followTheme(store);
}

async function openFirst(store: AppStore, params: RouteParams): Promise<void> {
  const { openDevice, openModel } = store.getState();
  store.setState({ selectedModel: modelOf(params), comparing: params.compare === '1' });
  if (params.adapters) store.getState().chooseAdapters(parseAdapters(params.adapters));
  const backend = backendOf(params);
  const opened = openDevice(backend);
  // The engine takes one after the other; only a device that may not exist here has to be waited for.
  if (backend !== 'auto') await opened;
  await openModel(modelOf(params));
}

/** What a followed link or a typed address asks for; it leaves alone what it does not mention. */
function followAddress(store: AppStore, params: RouteParams, showExample: (id: string) => void): void {
  const { selectedModel, backendChoice, switchingTo, openModel, openDevice } = store.getState();
  if (params.model && modelOf(params) !== selectedModel) void openModel(modelOf(params));
  if (params.backend && backendOf(params) !== backendChoice && switchingTo === null) void openDevice(backendOf(params));
  const { chosenAdapters, chooseAdapters, setComparing } = store.getState();
  if (params.adapters && params.adapters !== formatAdapters(chosenAdapters)) chooseAdapters(parseAdapters(params.adapters));
  if (params.compare) setComparing(params.compare === '1');
  if (params.picture && params.picture !== pictureOf(store.getState())) showExample(params.picture);
}

function addressOf(state: AppState): Record<string, string | null> {
  return {
    model: state.selectedModel === DEFAULT_MODEL ? null : state.selectedModel,
    backend: state.backendChoice === 'auto' ? null : state.backendChoice,
    // Until a first picture is there, the address still says which one is wanted.
    ...(currentRoute().screen === 'chat' && {
      adapters: formatAdapters(state.chosenAdapters) || null,
      compare: state.comparing ? '1' : null,
    }),
    ...(state.image && { picture: pictureOf(state) }),
  };
}

function pictureOf({ image }: AppState): string | null {
  return image?.origin.kind === 'example' ? image.origin.id : null;
}

/** The model that the page opens with. */
export function modelOf(params: RouteParams): string {
  return params.model ?? DEFAULT_MODEL;
}

function backendOf(params: RouteParams): BackendChoice {
  return BACKENDS.find((name) => name === params.backend) ?? 'auto';
}

/** Claims its place before the examples are there, so that a question asked meanwhile is about this picture. */
async function offerExample(store: AppStore, pictures: Pictures, id: string): Promise<void> {
  await store.getState().offerLater('the example', async () => {
    const cards = await pictures.examples();
    const card = cards.find((one) => one.id === id) ?? cards.find((one) => one.id === FIRST_EXAMPLE)!;
    return exampleOffer(pictures, card);
  });
}

function followTheme(store: AppStore): void {
  const apply = ({ theme }: AppState) => {
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };
  apply(store.getState());
  store.subscribe(apply);
}
