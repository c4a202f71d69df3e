// Libraries that set cookies by script, as real pages use them, for guard-site.js and guard.js.
//
// Each loads files of its package, and then runs a statement. `TRIED` reports to the site that it has been tried.

export const LIBRARIES = {
    'js-cookie': [
        ['js-cookie/dist/js.cookie.min.js'],
        "Cookies.set('library', '1', { expires: 7 }); Cookies.remove('other'); TRIED;",
    ],
    'jquery-cookie': [
        ['jquery/dist/jquery.min.js', 'jquery.cookie/jquery.cookie.js'],
        "$.cookie('library', '1', { expires: 7, path: '/' }); TRIED;",
    ],
    'posthog': [
        ['posthog-js/dist/array.full.js'],
        `posthog.init('phc_test', { api_host: location.origin + '/ingest', persistence: 'cookie', loaded: () => {
            posthog.capture('seen'); LATER;
        } })`,
    ],
    'mixpanel': [
        ['mixpanel-browser/dist/mixpanel.umd.js'],
        "mixpanel.init('test', { api_host: location.origin + '/ingest', persistence: 'cookie' }); mixpanel.track('seen'); LATER;",
    ],
    'amplitude': [
        ['@amplitude/analytics-browser/lib/scripts/amplitude-min.js'],
        `amplitude.init('test', 'a user', { serverUrl: location.origin + '/ingest', fetchRemoteConfig: false }).promise
            .then(() => amplitude.track('seen')).then(() => { LATER })`,
    ],
    'datadog': [
        ['@datadog/browser-rum/bundle/datadog-rum.js'],
        `DD_RUM.init({ applicationId: 'test', clientToken: 'test', site: 'datadoghq.eu', proxy: location.origin + '/ingest',
            sessionSampleRate: 100, trackUserInteractions: true }); LATER;`,
    ],
    'cookieconsent': [
        ['vanilla-cookieconsent/dist/cookieconsent.umd.js'],
        `CookieConsent.run({ categories: { necessary: { enabled: true, readOnly: true }, analytics: {} }, language: {
            default: 'en', translations: { en: { consentModal: { title: 'Cookies', acceptAllBtn: 'Yes' }, preferencesModal: { sections: [] } } },
        } }).then(() => { CookieConsent.acceptCategory('all'); LATER })`,
    ],
    'klaro': [
        ['klaro/dist/klaro-no-css.js'],
        `{ const config = { storageMethod: 'cookie', services: [{ name: 'statistics', purposes: ['analytics'] }], translations: {} };
            klaro.setup(config); const manager = klaro.getManager(config); manager.changeAll(true); manager.saveAndApplyConsents(); LATER }`,
    ],
};
